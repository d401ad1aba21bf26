import { describe, expect, it } from 'vitest';
import type { IceRemote } from '#protocols/ice/agent.ts';
import { buildStun, STUN } from '#protocols/stun/message.ts';
import { type MediaPeer, PeerTable } from './peer-table.ts';

const from = (port: number, protocol: 'udp' | 'tcp' = 'udp'): IceRemote => ({
  address: '192.0.2.1',
  port,
  protocol,
});

const check = (fragment: string) =>
  buildStun({
    class: 'request',
    transaction: Buffer.alloc(12, 1),
    attributes: [{ type: STUN.username, value: Buffer.from(`${fragment}:theirs`) }],
  });

const MEDIA = Buffer.from([0x80, 96, 0, 1]);

/** A session that takes every check, or none. */
function peer(isValid = true): MediaPeer & { readonly got: number[] } {
  const got: number[] = [];
  return { got, check: () => isValid, receive: (_, { port }) => got.push(port) };
}

describe('the sessions of a port', () => {
  it('get what comes from addresses whose checks they took, over UDP and TCP apart', () => {
    const table = new PeerTable();
    const [a, b] = [peer(), peer()];
    table.register('aa', a);
    table.register('bb', b);
    expect(table.receive(MEDIA, from(1))).toBe(false);
    expect(table.receive(check('aa'), from(1))).toBe(true);
    expect(table.receive(check('bb'), from(1, 'tcp'))).toBe(true);
    expect(table.receive(MEDIA, from(1))).toBe(true);
    expect(table.receive(MEDIA, from(1, 'tcp'))).toBe(true);
    expect([a.got, b.got]).toEqual([[1], [1]]);
    table.forget(from(1, 'tcp'));
    table.unregister(a);
    expect(table.receive(MEDIA, from(1))).toBe(false);
    expect(table.receive(MEDIA, from(1, 'tcp'))).toBe(false);
    expect(table.unknown).toBe(3);
  });

  it('get nothing from where a check was not valid, or was for nobody', () => {
    const table = new PeerTable();
    const refusing = peer(false);
    table.register('aa', refusing);
    expect(table.receive(check('aa'), from(1))).toBe(false);
    expect(table.receive(check('zz'), from(2))).toBe(false);
    expect(table.receive(MEDIA, from(1))).toBe(false);
    expect(refusing.got).toEqual([]);
  });

  it('may have sixteen addresses each: the oldest gives way', () => {
    const table = new PeerTable();
    const one = peer();
    table.register('aa', one);
    for (let port = 1; port <= 17; port++) table.receive(check('aa'), from(port));
    expect(table.receive(MEDIA, from(1))).toBe(false);
    expect(table.receive(MEDIA, from(2))).toBe(true);
    expect(table.receive(MEDIA, from(17))).toBe(true);
  });

  it('leave nothing behind, however often their ICE began anew and their addresses changed hands', () => {
    const table = new PeerTable();
    const [a, b] = [peer(), peer()];
    for (let i = 0; i < 100; i++) table.register(`a${i}`, a);
    table.register('bb', b);
    expect(table.receive(check('a98'), from(1))).toBe(false);
    for (let port = 1; port <= 40; port++) table.receive(check('a99'), from(port));
    table.receive(check('bb'), from(40));
    expect(table.receive(MEDIA, from(40))).toBe(true);
    expect(b.got).toEqual([40]);
    expect(table.size).toBe(2 + 16);
    table.unregister(a);
    expect(table.receive(MEDIA, from(40))).toBe(true);
    table.unregister(b);
    expect(table.size).toBe(0);
  });
});
