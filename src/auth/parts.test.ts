import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { namePattern } from '#util/name-pattern.ts';
import { parsePasswordHash, verifyPassword } from '#util/password-hash.ts';
import { digestResponse } from './digest.ts';
import { CheckerBusy, PasswordChecker } from './password-checker.ts';
import { Throttle } from './throttle.ts';

const segment = fc.stringMatching(/^[A-Za-z0-9._~-]{1,8}$/);
const streamName = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));

describe('a pattern of names', () => {
  it('without a star is that name alone', () => {
    const plain = streamName.filter((name) => !name.startsWith('~'));
    fc.assert(
      fc.property(plain, streamName, (pattern, name) => {
        expect(namePattern(pattern)(name)).toBe(pattern === name);
        expect(namePattern(pattern)(pattern)).toBe(true);
      }),
    );
  });

  it('with a star behind a slash is what stands below, and never what only begins so', () => {
    const prefixes = streamName.filter((name) => !name.startsWith('~'));
    fc.assert(
      fc.property(prefixes, streamName, (prefix, name) => {
        const matches = namePattern(`${prefix}/*`);
        expect(matches(`${prefix}/${name}`)).toBe(true);
        expect(matches(prefix)).toBe(false);
        expect(matches(`${prefix}${name}`)).toBe(`${prefix}${name}`.startsWith(`${prefix}/`));
      }),
    );
  });

  it('as an expression fits the whole name, also with alternatives', () => {
    const matches = namePattern('~a|b');
    expect(['a', 'b', 'ab', 'xa', ''].map(matches)).toEqual([true, true, false, false, false]);
  });

  it('of all is the server too, and nothing else is', () => {
    expect(namePattern('*')('')).toBe(true);
    fc.assert(
      fc.property(
        streamName.filter((name) => !name.startsWith('~')),
        (name) => !namePattern(name)('') && !namePattern(`${name}/*`)(''),
      ),
    );
    expect(namePattern('~.*')('')).toBe(false);
  });
});

describe('a digest', () => {
  // RFC 7616 section 3.9.1.
  const parameters = {
    username: 'Mufasa',
    realm: 'http-auth@example.org',
    uri: '/dir/index.html',
    nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
    nc: '00000001',
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
    qop: 'auth',
  };
  it.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('with %s is that of RFC 7616', (algorithm, response) => {
    expect(digestResponse({ ...parameters, algorithm }, 'GET', 'Circle of Life')).toBe(response);
  });

  it('without qop is that of RFC 2069 (erratum 749)', () => {
    const old = {
      username: 'Mufasa',
      realm: 'testrealm@host.com',
      nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
      uri: '/dir/index.html',
    };
    expect(digestResponse(old, 'GET', 'CircleOfLife')).toBe('1949323746fe6a43ef61f9606e7febea');
  });

  it('of a kind that we do not know is never right', () => {
    expect(digestResponse({ ...parameters, algorithm: 'SHA-512-256' }, 'GET', 'x')).toBeUndefined();
    expect(digestResponse({ ...parameters, qop: 'auth-int' }, 'GET', 'x')).toBeUndefined();
  });
});

describe('the throttle', () => {
  const by = (address: string, who = 'anna', shown = `guess of ${who}`) => ({ address, who, shown });

  it('doubles from one second to sixty, and forgets after ten minutes', () => {
    const clock = new VirtualClock();
    const throttle = new Throttle(clock);
    const waits = Array.from({ length: 12 }, () => {
      throttle.failed(by('a'));
      return throttle.waitMs(by('a')) / 1000;
    });
    expect(waits).toEqual([0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    clock.advance(601_000);
    throttle.failed(by('a'));
    expect(throttle.waitMs(by('a'))).toBe(0);
  });

  it('lets the others behind an address go on while six devices there try old passwords for ever', () => {
    const clock = new VirtualClock();
    const throttle = new Throttle(clock);
    const devices = Array.from({ length: 6 }, (_, i) => by('a', `device ${i}`));
    for (let second = 0; second < 3600; second++) {
      for (const device of devices) if (throttle.waitMs(device) === 0) throttle.failed(device);
      expect(throttle.waitMs(by('a', 'ben'))).toBe(0);
      clock.advance(1000);
    }
  });

  it('makes an address wait that tries many names, but not those who were right there before', () => {
    const clock = new VirtualClock();
    const throttle = new Throttle(clock);
    throttle.succeeded(by('a', 'ben', 'right'));
    for (let i = 0; i < 60; i++) {
      expect(throttle.waitMs(by('a', `name ${i}`))).toBe(0);
      throttle.failed(by('a', `name ${i}`));
    }
    expect(throttle.waitMs(by('a', 'carl'))).toBe(10_000);
    expect(throttle.waitMs(by('a', 'ben', 'another'))).toBe(10_000);
    expect(throttle.waitMs(by('b', 'carl'))).toBe(0);
    expect(throttle.waitMs(by('a', 'ben', 'right'))).toBe(0);
    throttle.failed(by('a', 'ben', 'right'));
    expect(throttle.waitMs(by('a', 'ben', 'right'))).toBe(20_000);
    clock.advance(20_000);
    expect(throttle.waitMs(by('a', 'carl'))).toBe(0);
  });

  it('makes an address wait for a minute at most, however many guesses of it were judged at the same time', () => {
    const throttle = new Throttle(new VirtualClock());
    for (let i = 0; i < 500; i++) throttle.failed(by('a', `name ${i}`));
    expect(throttle.waitMs(by('a', 'carl'))).toBe(60_000);
  });

  it('takes a network of IPv6 for one address, and IPv4 for itself however it is written', () => {
    const throttle = new Throttle(new VirtualClock());
    for (const host of ['::1', '::2', '::3']) throttle.failed(by(`2001:db8:0:7${host}`));
    expect(throttle.waitMs(by('2001:db8:0:7:aaaa:bbbb:cccc:dddd'))).toBe(1000);
    expect(throttle.waitMs(by('2001:db8:0:8::1'))).toBe(0);
    for (let i = 0; i < 3; i++) throttle.failed(by('::ffff:10.0.0.1'));
    expect(throttle.waitMs(by('10.0.0.1'))).toBe(1000);
    expect(throttle.waitMs(by('::ffff:10.0.0.2'))).toBe(0);
  });

  it('remembers a bounded number of addresses, users and proofs', () => {
    const throttle = new Throttle(new VirtualClock(), 100);
    for (let i = 0; i < 150; i++) {
      throttle.failed(by(`10.0.0.${i}`));
      throttle.failed(by('10.0.1.1', `name ${i}`));
      throttle.succeeded(by(`10.0.2.${i}`));
    }
    expect(throttle.size).toBe(100);
    expect(throttle.waitMs(by('10.0.1.1', 'other'))).toBeGreaterThan(0);
  });
});

describe('passwords', () => {
  it('are checked against hashes that other programs made', async () => {
    // Of argon2-cffi: argon2id, m=8 MiB, t=1, p=1.
    expect(
      parsePasswordHash('$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA'),
    ).toMatchObject({
      memory: 8192,
      passes: 1,
    });
    for (const bad of [
      '$argon2i$v=19$m=8192,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA',
      '$argon2id$v=19$m=99999999,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA',
      '$argon2id$v=19$m=8192,t=1,p=1$c29t$AAAA',
      'plain',
    ]) {
      expect(parsePasswordHash(bad), bad).toBeUndefined();
      expect(await verifyPassword(bad, bad), bad).toBe(false);
    }
  });

  it('that were right are computed once a minute, wrong ones each time', async () => {
    const clock = new VirtualClock();
    let computed = 0;
    const checker = new PasswordChecker(clock, async (_, password) => {
      computed++;
      return password === 'right';
    });
    await Promise.all([checker.check('h', 'right'), checker.check('h', 'right')]);
    expect(await checker.check('h', 'right')).toBe(true);
    expect(computed).toBe(1);
    expect(await checker.check('h', 'wrong')).toBe(false);
    expect(await checker.check('h', 'wrong')).toBe(false);
    expect(computed).toBe(3);
    clock.advance(60_001);
    expect(await checker.check('h', 'right')).toBe(true);
    expect(computed).toBe(4);
  });

  it('wait for each other, two at a time and boundedly many', async () => {
    const release: (() => void)[] = [];
    const checker = new PasswordChecker(new VirtualClock(), async () => {
      await new Promise<void>((resolve) => release.push(resolve));
      return false;
    });
    const asked = Array.from({ length: 66 }, (_, i) => checker.check('h', String(i)));
    await expect(checker.check('h', 'one too many')).rejects.toBeInstanceOf(CheckerBusy);
    expect(release.length).toBe(2);
    while (release.length > 0) {
      release.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await Promise.all(asked)).toEqual(asked.map(() => false));
  });
});
