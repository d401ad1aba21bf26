import { describe, expect, it } from 'vitest';
import { buildStun, hasIntegrity, parseStun, STUN, type StunMessage, stunKey } from '../stun/message.ts';
import { CONSENT_MS, type IceRemote } from './agent.ts';
import { IceLiteAgent } from './lite-agent.ts';

const LOCAL = { ufrag: 'ours', password: 'a-password-of-22-chars' };
const HOME: IceRemote = { address: '192.0.2.1', port: 5000, protocol: 'udp' };
const AWAY: IceRemote = { address: '192.0.2.2', port: 6000, protocol: 'udp' };

function check(...types: number[]): StunMessage {
  return message('ours:theirs', LOCAL.password, types);
}

function message(username: string, password: string, types: readonly number[] = []): StunMessage {
  const attributes = [
    { type: STUN.username, value: Buffer.from(username) },
    ...types.map((type) => ({ type, value: Buffer.alloc(type === STUN.useCandidate ? 0 : 8) })),
  ];
  const bytes = buildStun({
    class: 'request',
    transaction: Buffer.alloc(12, 7),
    attributes,
    key: stunKey(password),
  });
  return parseStun(bytes) as StunMessage;
}

describe('the lite side of ICE', () => {
  it('answers a check with the address it came from, signed', () => {
    const outcome = new IceLiteAgent(LOCAL, 0).receive(check(), HOME, 1);
    const answer = parseStun(outcome?.answer ?? Buffer.alloc(0));
    expect(outcome?.valid).toBe(true);
    expect(answer).toMatchObject({ class: 'success', transaction: Buffer.alloc(12, 7) });
    expect(answer?.attributes.has(STUN.xorMappedAddress)).toBe(true);
    expect(answer && hasIntegrity(answer, stunKey(LOCAL.password))).toBe(true);
  });

  it('sends to where the last nomination came from, and before one to where the last check did', () => {
    const agent = new IceLiteAgent(LOCAL, 0);
    expect(agent.selected).toBeUndefined();
    agent.receive(check(), HOME, 1);
    expect(agent.selected).toEqual(HOME);
    agent.receive(check(STUN.useCandidate), AWAY, 2);
    agent.receive(check(), HOME, 3);
    expect(agent.selected).toEqual(AWAY);
    agent.receive(check(STUN.useCandidate), HOME, 4);
    expect(agent.selected).toEqual(HOME);
  });

  it.each([
    ['another password', message('ours:theirs', 'wrong')],
    ['another fragment', message('others:theirs', LOCAL.password)],
  ])('refuses %s, and neither selects nor takes it for consent', (_, wrong) => {
    const agent = new IceLiteAgent(LOCAL, 0);
    const outcome = agent.receive(wrong, AWAY, CONSENT_MS);
    expect(outcome?.valid).toBe(false);
    expect(parseStun(outcome?.answer ?? Buffer.alloc(0))?.class).toBe('error');
    expect(agent.selected).toBeUndefined();
    expect(agent.hasConsent(CONSENT_MS + 1)).toBe(false);
  });

  it('tells who wants to be controlled as well that there is a conflict', () => {
    const outcome = new IceLiteAgent(LOCAL, 0).receive(check(STUN.iceControlled), HOME, 1);
    const answer = parseStun(outcome?.answer ?? Buffer.alloc(0));
    expect(answer?.attributes.get(STUN.errorCode)?.subarray(2, 4)).toEqual(Buffer.from([4, 87]));
  });

  it('has consent for 30 s after a check', () => {
    const agent = new IceLiteAgent(LOCAL, 0);
    agent.receive(check(), HOME, 10_000);
    expect(agent.hasConsent(10_000 + CONSENT_MS)).toBe(true);
    expect(agent.hasConsent(10_001 + CONSENT_MS)).toBe(false);
  });

  it('takes only the new credentials after a restart, and is selected anew', () => {
    const agent = new IceLiteAgent(LOCAL, 0);
    agent.receive(check(STUN.useCandidate), HOME, 1);
    agent.restart({ ufrag: 'new', password: 'another' }, 2);
    expect(agent.receive(check(STUN.useCandidate), AWAY, 3)?.valid).toBe(false);
    expect(agent.selected).toEqual(HOME);
    expect(agent.receive(message('new:theirs', 'another'), AWAY, 4)?.valid).toBe(true);
    expect(agent.selected).toEqual(AWAY);
  });

  it('sends nowhere from where no check came for 30 s, whatever is checked or begun anew elsewhere', () => {
    const agent = new IceLiteAgent(LOCAL, 0);
    agent.receive(check(STUN.useCandidate), HOME, 1000);
    agent.receive(check(), AWAY, 20_000);
    agent.restart({ ...LOCAL }, 25_000);
    agent.expire(1000 + CONSENT_MS);
    expect(agent.selected).toEqual(HOME);
    agent.expire(1001 + CONSENT_MS);
    expect([agent.selected, agent.hasConsent(40_000)]).toEqual([undefined, true]);
    agent.receive(check(), AWAY, 41_000);
    expect(agent.selected).toEqual(AWAY);
  });
});
