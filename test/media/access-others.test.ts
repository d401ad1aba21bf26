import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { AccessControl } from '#auth/access-control.ts';
import type { Action, Credentials } from '#auth/words.ts';

/** Others decide: who signs JSON Web Tokens, and a service that is asked. */

async function service(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url, close, [Symbol.asyncDispose]: close };
}

const outcome =
  (access: AccessControl, remote = '10.0.0.9') =>
  (credentials: Credentials, action: Action = 'read', stream = 'yard/a') =>
    access.check({ action, stream, door: 'rtsp', remote, credentials }).then(
      ({ user }) => user,
      (error: { code: string }) => error.code,
    );

test('a JSON Web Token is as good as its signature, its time, its issuer and its permissions', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const stranger = await generateKeyPair('ES256');
  const keys = { keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256' }] };
  await using jwks = await service((_, response) => response.end(JSON.stringify(keys)));
  const jwt = { jwks: jwks.url, issuer: 'https://login', audience: 'sluice', permissionsClaim: 'may' };
  const access = new AccessControl({ users: [], tokens: [], jwt });
  const check = outcome(access);
  // Whose wrong tokens slow nobody else down.
  const elsewhere = outcome(access, '10.0.0.10');
  const sign = async (
    claims: object,
    { key = privateKey, issuer = 'https://login', audience = 'sluice', seconds = 60 } = {},
  ): Promise<Credentials> => ({
    kind: 'token',
    token: await new SignJWT({ may: [{ actions: ['read'], streams: 'yard/*' }], ...claims })
      .setProtectedHeader({ alg: 'ES256' })
      .setSubject('anna')
      .setIssuer(issuer)
      .setAudience(audience)
      .setExpirationTime(new Date(Date.now() + seconds * 1000))
      .sign(key),
  });
  const good = await sign({});
  expect(await check(good)).toBe('anna');
  expect(await check(good, 'publish')).toBe('ACCESS_FORBIDDEN');
  expect(await check(good, 'read', 'hall')).toBe('ACCESS_FORBIDDEN');
  for (const may of ['read', [null], [{ actions: 'read' }], [{ actions: ['read'], streams: '~.*' }]]) {
    expect(await check(await sign({ may })), JSON.stringify(may)).toBe('ACCESS_FORBIDDEN');
  }
  expect(await check(await sign({}, { seconds: -60 }))).toBe('ACCESS_UNAUTHENTICATED');
  expect(await elsewhere(await sign({}, { key: stranger.privateKey }))).toBe('ACCESS_UNAUTHENTICATED');
  expect(await elsewhere(await sign({}, { issuer: 'https://other' }))).toBe('ACCESS_UNAUTHENTICATED');
  expect(await check(good)).toBe('anna');
  expect(await check(await sign({}, { audience: 'other' }))).toBe('ACCESS_UNAUTHENTICATED');
  const unsigned = ['{"alg":"none"}', '{"sub":"anna","exp":99999999999}', '']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
  expect(await check({ kind: 'token', token: unsigned })).toBe('ACCESS_UNAUTHENTICATED');
});

test('without the keys nobody is let in by a token, and nobody is blamed for it', async () => {
  const jwks = await service((_, response) => response.writeHead(500).end());
  const jwt = { jwks: jwks.url, permissionsClaim: 'sluice' };
  const check = outcome(new AccessControl({ users: [], tokens: [], jwt }));
  const { privateKey } = await generateKeyPair('ES256');
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256' })
    .setExpirationTime('1m')
    .sign(privateKey);
  for (let i = 0; i < 5; i++) expect(await check({ kind: 'token', token })).toBe('ACCESS_UNDECIDED');
  await jwks.close();
  expect(await check({ kind: 'token', token })).toBe('ACCESS_UNDECIDED');
});

test('a service is asked about one action with one stream; its yes is remembered, its silence is no yes', async () => {
  const asked: Record<string, string>[] = [];
  let status: number | undefined = 204;
  await using hook = await service(async (request, response) => {
    asked.push(JSON.parse(await text(request)) as Record<string, string>);
    if (status !== undefined) response.writeHead(status, status === 302 ? { location: '/' } : {}).end();
  });
  const users = [{ name: 'known', password: 'pw', permissions: [] }];
  const authHook = { url: hook.url, timeoutSeconds: 1 };
  const check = outcome(new AccessControl({ users, tokens: [], authHook }));
  const anna: Credentials = { kind: 'password', user: 'anna', password: 'secret' };
  expect(await check(anna)).toBe('anna');
  expect(await check(anna)).toBe('anna');
  expect(asked).toEqual([
    {
      ...{ action: 'read', stream: 'yard/a', door: 'rtsp', remote: '10.0.0.9' },
      ...{ user: 'anna', password: 'secret', token: '' },
    },
  ]);
  expect(await check({ kind: 'password', user: 'known', password: 'other' })).toBe('ACCESS_UNAUTHENTICATED');
  expect(asked).toHaveLength(1);
  status = 403;
  expect(await check(anna, 'publish')).toBe('ACCESS_UNAUTHENTICATED');
  status = 500;
  expect(await check(anna, 'publish')).toBe('ACCESS_UNDECIDED');
  status = 302;
  expect(await check(anna, 'publish')).toBe('ACCESS_UNDECIDED');
  status = undefined;
  expect(await check(anna, 'publish')).toBe('ACCESS_UNDECIDED');
  expect(asked).toHaveLength(5);
});
