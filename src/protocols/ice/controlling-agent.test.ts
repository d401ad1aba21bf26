import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { parseStun, STUN, type StunMessage } from '../stun/message.ts';
import { CONSENT_MS, type IceRemote } from './agent.ts';
import type { OfferedCandidate } from './candidate.ts';
import { ControllingAgent } from './controlling-agent.ts';
import { IceLiteAgent } from './lite-agent.ts';

const OURS = { ufrag: 'ours', password: 'our-password-of-22-chars' };
const THEIRS = { ufrag: 'theirs', password: 'their-password-of-22-chars' };
const US: IceRemote = { address: '192.0.2.9', port: 9000, protocol: 'udp' };

const candidate = (last: number, priority: number): OfferedCandidate => {
  return { address: `192.0.2.${last}`, port: 5000, protocol: 'udp', priority, tcpType: '' };
};

/** A client before a lite server that is reached by some of its candidates only. */
function setup(candidates: readonly OfferedCandidate[], reachable: readonly string[]) {
  const clock = new VirtualClock();
  const lite = new IceLiteAgent(THEIRS, clock.now());
  const events: string[] = [];
  const checks: { to: string; message: StunMessage }[] = [];
  const network = { isUp: true };
  const agent: ControllingAgent = new ControllingAgent({
    clock,
    local: OURS,
    remote: THEIRS,
    candidates,
    send: (bytes, to) => {
      const message = parseStun(bytes) as StunMessage;
      checks.push({ to: to.address, message });
      if (!network.isUp || !reachable.includes(to.address)) return;
      const outcome = lite.receive(message, US, clock.now());
      const answer = outcome && parseStun(outcome.answer);
      if (answer) clock.after(20, () => agent.receive(answer, to));
    },
    onSelected: () => events.push('selected'),
    onFailed: (reason) => events.push(reason),
  });
  return { clock, lite, agent, events, checks, network };
}

describe('the controlling side of ICE', () => {
  it('nominates the best candidate that answers, once', () => {
    const { clock, lite, agent, events, checks } = setup(
      [candidate(1, 10), candidate(2, 30), candidate(3, 20)],
      ['192.0.2.1', '192.0.2.3'],
    );
    clock.advance(1000);
    expect(events).toEqual(['selected']);
    expect(agent.selected?.address).toBe('192.0.2.3');
    expect(lite.selected).toEqual(US);
    const nominations = checks.filter(({ message }) => message.attributes.has(STUN.useCandidate));
    expect(new Set(nominations.map(({ to }) => to))).toEqual(new Set(['192.0.2.3']));
    agent.close();
    expect(clock.pending).toBe(0);
  });

  it('takes the best one at once', () => {
    const { clock, agent, events } = setup([candidate(1, 10), candidate(2, 30)], ['192.0.2.1', '192.0.2.2']);
    clock.advance(100);
    expect(events).toEqual(['selected']);
    expect(agent.selected?.address).toBe('192.0.2.2');
    agent.close();
  });

  it('says so when nobody answers, with the addresses that were tried', () => {
    const { clock, events } = setup([candidate(1, 1)], []);
    clock.advance(11_000);
    expect(events).toEqual(['No answer came from 192.0.2.1:5000 over UDP within 10 s.']);
    expect(clock.pending).toBe(0);
  });

  it('goes on asking for consent, and ends without it', () => {
    const { clock, lite, events, network } = setup([candidate(1, 1)], ['192.0.2.1']);
    clock.advance(120_000);
    expect(events).toEqual(['selected']);
    expect(lite.hasConsent(clock.now())).toBe(true);
    network.isUp = false;
    clock.advance(CONSENT_MS + 10_000);
    expect(events[1]).toContain('has not answered for 30 s');
    expect(clock.pending).toBe(0);
  });

  it('believes no answer from elsewhere, nor one that was not signed by the other side', () => {
    const { clock, agent, events, checks } = setup([candidate(1, 1)], []);
    const { message } = checks[0] as { message: StunMessage };
    const forged = new IceLiteAgent({ ...THEIRS, password: 'another' }, 0).receive(message, US, 0);
    agent.receive(parseStun(forged?.answer ?? Buffer.alloc(0)) as StunMessage, candidate(1, 1));
    const real = new IceLiteAgent(THEIRS, 0).receive(message, US, 0);
    agent.receive(parseStun(real?.answer ?? Buffer.alloc(0)) as StunMessage, US);
    clock.advance(500);
    expect(events).toEqual([]);
    agent.close();
  });
});
