import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { forbidInner, guardLookup, outerAddress } from './guarded-lookup.ts';

const answers =
  (...addresses: string[]): LookupFunction =>
  (_host, options, callback) => {
    const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    if (options.all) callback(null, found);
    else callback(null, found[0]?.address ?? '', found[0]?.family);
  };

function ask(lookup: LookupFunction, all: boolean): Promise<unknown> {
  return new Promise((resolve, reject) => {
    lookup('cam.example', { all }, (error, found) => (error ? reject(error) : resolve(found)));
  });
}

describe('a guarded look-up', () => {
  it('gives what the other one gives, one address or all, where all of them may be reached', async () => {
    const guarded = guardLookup(answers('192.168.1.4', '2001:db8::1'), 'rtsp://cam.example/');
    expect(await ask(guarded, false)).toBe('192.168.1.4');
    expect(await ask(guarded, true)).toEqual([
      { address: '192.168.1.4', family: 4 },
      { address: '2001:db8::1', family: 6 },
    ]);
  });

  it('refuses a name that has one forbidden address among others, also where only the first was asked for', async () => {
    const guarded = guardLookup(answers('192.168.1.4', '127.0.0.1'), 'rtsp://cam.example/');
    for (const all of [true, false]) {
      await expect(ask(guarded, all)).rejects.toMatchObject({
        code: 'SOURCE_FORBIDDEN',
        status: 403,
        message: expect.stringContaining('rtsp://cam.example/ leads to 127.0.0.1, this machine'),
      });
    }
  });

  it('judges addresses that need no look-up as well, and passes on what a look-up failed of', async () => {
    expect(() => forbidInner('169.254.169.254', 'x')).toThrow(/metadata/);
    await expect(outerAddress('::1', answers(), 'x')).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN' });
    await expect(outerAddress('', answers('10.0.0.1'), 'x')).rejects.toMatchObject({
      code: 'SOURCE_FORBIDDEN',
    });
    await expect(outerAddress('none', answers(), 'x')).rejects.toThrow('none has no address');
    expect(await outerAddress('10.0.0.7', answers(), 'x')).toBe('10.0.0.7');
    expect(await outerAddress('cam', answers('10.0.0.8'), 'x')).toBe('10.0.0.8');
    const broken: LookupFunction = (_host, _options, callback) => callback(new Error('no such name'), []);
    await expect(outerAddress('cam', broken, 'x')).rejects.toThrow('no such name');
  });
});
