import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { hashPassword } from '#util/password-hash.ts';
import { AccessControl } from './access-control.ts';
import { digestResponse } from './digest.ts';
import type { AuthSettings } from './identities.ts';
import type { Action, Credentials } from './words.ts';

const TOKEN = 'a-token-of-a-program-0001';
const settings: AuthSettings = {
  users: [
    {
      name: 'anna',
      password: 'plain',
      permissions: [
        { actions: ['read'], streams: 'yard/*' },
        { actions: ['publish'], streams: '~cam[0-9]+' },
      ],
    },
    { name: 'root', password: 'rooted', permissions: [{ actions: ['read', 'manage'], streams: '*' }] },
    { name: 'any', permissions: [{ actions: ['read'], streams: 'lobby' }] },
  ],
  tokens: [{ name: 'monitor', token: TOKEN, permissions: [{ actions: ['manage'], streams: '*' }] }],
};

const password = (user: string, secret: string): Credentials => ({
  kind: 'password',
  user,
  password: secret,
});
const none: Credentials = { kind: 'none' };

function room(changed: Partial<AuthSettings> = {}) {
  const clock = new VirtualClock();
  const access = new AccessControl({ ...settings, ...changed }, clock);
  const check = (credentials: Credentials, action: Action, stream: string, remote = '10.0.0.9') =>
    access.check({ action, stream, door: 'rtsp', remote, credentials });
  const outcome = (...args: Parameters<typeof check>) =>
    check(...args).then(
      ({ user }) => user ?? 'anybody',
      (error: { code: string }) => error.code,
    );
  return { access, clock, check, outcome };
}

describe('access', () => {
  it('is open to everybody where nobody is set, and closed to whatever no permission names else', async () => {
    const open = new AccessControl({ users: [], tokens: [] }, new VirtualClock());
    expect(open.enabled).toBe(false);
    const anything = { action: 'manage', stream: '', door: 'api', remote: 'x', credentials: none } as const;
    expect((await open.check(anything)).user).toBeUndefined();
    const { outcome } = room({ users: [{ name: 'anna', password: 'x', permissions: [] }] });
    expect(await outcome(none, 'read', 'a')).toBe('ACCESS_UNAUTHENTICATED');
    expect(await outcome(password('anna', 'x'), 'read', 'a')).toBe('ACCESS_FORBIDDEN');
  });

  const cases: [string, Credentials, Action, string, string][] = [
    ['anna reads below yard/', password('anna', 'plain'), 'read', 'yard/gate/1', 'anna'],
    ['anna does not read yard itself', password('anna', 'plain'), 'read', 'yard', 'ACCESS_FORBIDDEN'],
    ['anna publishes what fits', password('anna', 'plain'), 'publish', 'cam12', 'anna'],
    ['… and only as a whole', password('anna', 'plain'), 'publish', 'cam12x', 'ACCESS_FORBIDDEN'],
    ['anna reads what anybody may', password('anna', 'plain'), 'read', 'lobby', 'anna'],
    ['anybody reads the lobby', none, 'read', 'lobby', 'anybody'],
    ['anybody reads nothing else', none, 'read', 'yard/a', 'ACCESS_UNAUTHENTICATED'],
    ['anybody does not publish', none, 'publish', 'lobby', 'ACCESS_UNAUTHENTICATED'],
    [
      'wrong ones do not do what anybody may',
      password('anna', 'no'),
      'read',
      'lobby',
      'ACCESS_UNAUTHENTICATED',
    ],
    ['any is no user that logs in', password('any', ''), 'read', 'lobby', 'ACCESS_UNAUTHENTICATED'],
    ['a token manages', { kind: 'token', token: TOKEN }, 'manage', '', 'monitor'],
    ['a token does not read', { kind: 'token', token: TOKEN }, 'read', 'yard/a', 'ACCESS_FORBIDDEN'],
    ['another token is none', { kind: 'token', token: `${TOKEN}x` }, 'manage', '', 'ACCESS_UNAUTHENTICATED'],
    ['the server is for who may all streams', password('anna', 'plain'), 'manage', '', 'ACCESS_FORBIDDEN'],
    ['… as root is', password('root', 'rooted'), 'manage', '', 'root'],
  ];
  it.each(cases)('%s', async (_, credentials, action, stream, expected) => {
    expect(await room().outcome(credentials, action, stream)).toBe(expected);
  });

  it('takes hashes, and then asks for no digest, which cannot be checked with them', async () => {
    const hash = await hashPassword('secret');
    const user = { name: 'h', password: hash, permissions: settings.users[1]?.permissions ?? [] };
    const { outcome, check } = room({ users: [user] });
    expect(await outcome(password('h', 'secret'), 'read', 'a')).toBe('h');
    expect(await outcome(password('h', hash), 'read', 'a')).toBe('ACCESS_UNAUTHENTICATED');
    expect(await outcome(password('nobody', 'secret'), 'read', 'a')).toBe('ACCESS_UNAUTHENTICATED');
    await expect(check(none, 'read', 'a')).rejects.toMatchObject({
      challenges: ['Basic realm="Sluice", charset="UTF-8"'],
    });
  });

  it('slows down who guesses, and not their neighbours; the right password makes it good', async () => {
    const { outcome, check, clock } = room();
    const guess = () => outcome(password('anna', 'wrong'), 'read', 'yard/a');
    for (let i = 0; i < 3; i++) expect(await guess()).toBe('ACCESS_UNAUTHENTICATED');
    expect(await guess()).toBe('ACCESS_THROTTLED');
    await expect(check(password('anna', 'plain'), 'read', 'yard/a')).rejects.toMatchObject({
      status: 429,
      retryAfterSeconds: 1,
    });
    expect(await outcome(password('anna', 'plain'), 'read', 'yard/a', '10.0.0.10')).toBe('anna');
    expect(await outcome(none, 'read', 'lobby')).toBe('anybody');
    clock.advance(1000);
    expect(await outcome(password('anna', 'plain'), 'read', 'yard/a')).toBe('anna');
    expect(await guess()).toBe('ACCESS_UNAUTHENTICATED');
  });

  it('lets others behind the same address in while a device of theirs is slowed down', async () => {
    const { outcome, clock } = room();
    const token = (text: string): Credentials => ({ kind: 'token', token: text });
    for (let i = 0; i < 3; i++) {
      expect(await outcome(password('anna', 'old'), 'read', 'yard/a')).toBe('ACCESS_UNAUTHENTICATED');
      expect(await outcome(token('an-old-token-00000'), 'manage', '')).toBe('ACCESS_UNAUTHENTICATED');
    }
    expect(await outcome(password('anna', 'old'), 'read', 'yard/a')).toBe('ACCESS_THROTTLED');
    expect(await outcome(token('an-old-token-00000'), 'manage', '')).toBe('ACCESS_THROTTLED');
    expect(await outcome(password('root', 'rooted'), 'read', 'a')).toBe('root');
    expect(await outcome(token(TOKEN), 'manage', '')).toBe('monitor');
    // Also where one of them goes through names until the address waits.
    for (let i = 0; i < 54; i++) await outcome(password(`name${i}`, 'x'), 'read', 'a');
    expect(await outcome(password('name', 'x'), 'read', 'a')).toBe('ACCESS_THROTTLED');
    expect(await outcome(token(`${TOKEN}x`), 'read', 'a')).toBe('ACCESS_THROTTLED');
    expect(await outcome(password('root', 'rooted'), 'read', 'a')).toBe('root');
    expect(await outcome(token(TOKEN), 'manage', '')).toBe('monitor');
    expect(await outcome(password('root', 'guess'), 'read', 'a')).toBe('ACCESS_THROTTLED');
    clock.advance(10_000);
    expect(await outcome(password('anna', 'plain'), 'read', 'yard/a')).toBe('anna');
  });

  it('slows down who guesses what is not theirs between right passwords and links of their own', async () => {
    const { access, outcome, clock } = room();
    const link = access.link('a', ['read'], clock.now() + 60_000, 'root');
    const guesses: string[] = [];
    for (let i = 0; i < 4; i++) {
      guesses.push(await outcome(password('root', `guess ${i}`), 'manage', ''));
      await outcome(password('anna', 'plain'), 'read', 'yard/a');
      await outcome({ kind: 'token', token: link }, 'read', 'a');
    }
    expect(guesses.at(-1)).toBe('ACCESS_THROTTLED');
  });

  it('checks digests against challenges of its own, for the address that got them', async () => {
    const { check, outcome, clock } = room();
    const challenge = async () => {
      const error = await check(none, 'read', 'yard/a').catch((thrown: unknown) => thrown);
      const { challenges } = error as { challenges: string[] };
      expect(challenges.map((one) => /^\w+/.exec(one)?.[0])).toEqual(['Digest', 'Digest', 'Basic']);
      return /nonce="([^"]+)"/.exec(challenges[0] ?? '')?.[1] ?? '';
    };
    const answer = (nonce: string, secret: string, algorithm: string): Credentials => {
      const parameters = {
        ...{ username: 'anna', realm: 'Sluice', nonce, uri: 'rtsp://h/yard/a', algorithm },
        ...{ qop: 'auth', nc: '00000001', cnonce: 'abc' },
      };
      const response = digestResponse(parameters, 'DESCRIBE', secret) ?? '';
      return { kind: 'digest', user: 'anna', method: 'DESCRIBE', parameters: { ...parameters, response } };
    };
    for (const algorithm of ['SHA-256', 'MD5']) {
      const nonce = await challenge();
      const right = answer(nonce, 'plain', algorithm);
      expect(await outcome(right, 'read', 'yard/a')).toBe('anna');
      expect(await outcome(right, 'read', 'yard/a', '10.0.0.10')).toBe('ACCESS_UNAUTHENTICATED');
      const other = { ...right, method: 'ANNOUNCE' } as Credentials;
      expect(await outcome(other, 'read', 'yard/a')).toBe('ACCESS_UNAUTHENTICATED');
      expect(await outcome(answer(nonce, 'no', algorithm), 'read', 'yard/a')).toBe('ACCESS_UNAUTHENTICATED');
      expect(await outcome(right, 'read', 'yard/a')).toBe('anna');
      clock.advance(301_000);
      await expect(check(right, 'read', 'yard/a')).rejects.toMatchObject({
        challenges: [expect.stringContaining('stale=true'), expect.anything(), expect.anything()],
      });
    }
  });

  it('signs links for one stream and a time, which nobody can change', async () => {
    const { access, outcome, clock } = room();
    const token = access.link('a/b', ['read'], clock.now() + 60_000, 'root');
    const by = (text: string): Credentials => ({ kind: 'token', token: text });
    expect(await outcome(by(token), 'read', 'a/b')).toBe('link of root');
    expect(await outcome(by(token), 'publish', 'a/b')).toBe('ACCESS_FORBIDDEN');
    expect(await outcome(by(token), 'read', 'a/c')).toBe('ACCESS_FORBIDDEN');
    const [head, body = '', mac] = token.split('.');
    const forged = Buffer.from(body, 'base64url').toString().replace('a/b', 'a/c');
    const text = [head, Buffer.from(forged).toString('base64url'), mac].join('.');
    expect(await outcome(by(text), 'read', 'a/c')).toBe('ACCESS_UNAUTHENTICATED');
    const odd = access.link('~a.b', ['read'], clock.now() + 60_000, 'root');
    expect(await outcome(by(odd), 'read', '~a.b')).toBe('link of root');
    expect(await outcome(by(odd), 'read', 'a/b')).toBe('ACCESS_FORBIDDEN');
    clock.advance(60_000);
    for (let i = 0; i < 9; i++)
      expect(await outcome(by(token), 'read', 'a/b')).toBe('ACCESS_UNAUTHENTICATED');
    expect(await outcome(by(TOKEN), 'manage', '')).toBe('monitor');
  });

  it('keeps sessions until they are ended, unused for twelve hours, or of another password', async () => {
    const { access, outcome, clock } = room();
    const begin = async () => {
      const session = await access.login('root', 'rooted', 'x');
      return { kind: 'session', session } as const;
    };
    const works = (one: Credentials) => outcome(one, 'read', 'a');
    const [ended, unused, changed] = [await begin(), await begin(), await begin()];
    for (const one of [ended, unused, changed]) expect(await works(one)).toBe('root');
    access.logout(ended.session);
    expect(await works(ended)).toBe('ACCESS_UNAUTHENTICATED');
    clock.advance(11 * 3_600_000);
    expect(await works(changed)).toBe('root');
    clock.advance(2 * 3_600_000);
    expect(await works(unused)).toBe('ACCESS_UNAUTHENTICATED');
    const users = settings.users.map((user) => (user.name === 'root' ? { ...user, password: 'new' } : user));
    access.configure({ ...settings, users });
    expect(await works(changed)).toBe('ACCESS_UNAUTHENTICATED');
    await expect(access.login('root', 'rooted', 'x')).rejects.toMatchObject({ status: 401 });
    await expect(access.login('any', '', 'x')).rejects.toMatchObject({ status: 401 });
  });

  it('tells who is inside when they may be no longer, and nobody else', async () => {
    const { access, check } = room();
    const told: string[] = [];
    const enter = async (name: string, ...args: Parameters<typeof check>) =>
      (await check(...args)).onRevoked(() => told.push(name));
    await enter('anna', password('anna', 'plain'), 'read', 'yard/a');
    await enter('root', password('root', 'rooted'), 'read', 'yard/a');
    await enter('anybody', none, 'read', 'lobby');
    const leave = await enter('gone', password('anna', 'plain'), 'read', 'yard/a');
    leave();
    access.configure(settings);
    expect(told).toEqual([]);
    access.configure({ ...settings, users: settings.users.filter(({ name }) => name === 'root') });
    expect(told).toEqual(['anna', 'anybody']);
    access.configure({ users: [], tokens: [] });
    expect(told).toEqual(['anna', 'anybody']);
  });

  it('tells who is let in to what all known ones may when they are known no longer', async () => {
    const { access } = room({ users: settings.users.filter(({ name }) => name !== 'any') });
    const told: string[] = [];
    const enter = async (name: string, credentials: Credentials) => {
      const { onRevoked } = await access.permissionsOf({ door: '/api/events', remote: 'x', credentials });
      onRevoked(() => told.push(name));
    };
    await enter('anna', password('anna', 'plain'));
    await enter('root', password('root', 'rooted'));
    await enter('monitor', { kind: 'token', token: TOKEN });
    const [anna, root] = settings.users;
    const but = (changed: object) => ({ ...settings, users: [{ ...anna!, ...changed }, root!] });
    // Fewer permissions: lists get shorter.
    access.configure(but({ permissions: [] }));
    expect(told).toEqual([]);
    access.configure(but({ password: 'new' }));
    expect(told).toEqual(['anna']);
    access.configure({ ...but({ password: 'new' }), tokens: [] });
    expect(told).toEqual(['anna', 'monitor']);
  });

  it('tells also who was let in before the change and only then begins', async () => {
    const { access, check } = room();
    const told: string[] = [];
    const identity = await check(password('anna', 'plain'), 'read', 'yard/a');
    const other = await check(password('anna', 'plain'), 'read', 'yard/a');
    access.configure({ ...settings, users: [] });
    identity.onRevoked(() => told.push('anna'));
    other.onRevoked(() => told.push('gone'))();
    await Promise.resolve();
    expect(told).toEqual(['anna']);
  });

  it('tells who came while there were no users, once there are some that leave them out', async () => {
    const access = new AccessControl({ users: [], tokens: [] }, new VirtualClock());
    const told: string[] = [];
    for (const stream of ['lobby', 'yard/a']) {
      const request = { action: 'read', stream, door: 'webrtc', remote: 'x', credentials: none } as const;
      (await access.check(request)).onRevoked(() => told.push(stream));
    }
    access.configure(settings);
    expect(told).toEqual(['yard/a']);
  });
});
