import { createClient } from '@redis/client';
import { expect, test } from 'vitest';
import type { BrokerStatus } from '#bus/broker.ts';
import { RedisBroker } from '#bus/redis/broker.ts';
import { connectRedis } from '#bus/redis/client.ts';
import { systemClock } from '#util/clock.ts';
import { selfSigned } from '../support/certificate.ts';
import { freePort, redisServer, type TestRedis } from '../support/redis.ts';
import { eventually } from '../support/sluice.ts';

function broker() {
  const said: BrokerStatus[] = [];
  const redis = new RedisBroker({
    connect: connectRedis,
    clock: systemClock,
    onStatus: (status) => said.push(status),
  });
  return { redis, said };
}

const settings = (...addresses: string[]) => ({ addresses, sharded: false, insecure: false });

const picture = (text: string) => ({ bytes: () => Buffer.from(text), publish: true });

test('a certificate of Redis that nobody signed is refused by name, and taken where any is', async () => {
  await using certificate = await selfSigned();
  const { cert, key } = certificate;
  await using server = await redisServer(
    ...['--tls-cert-file', cert, '--tls-key-file', key, '--tls-auth-clients', 'no'],
  );
  const { redis, said } = broker();
  await using _ = redis;
  redis.configure(settings(`rediss://127.0.0.1:${server.port}/2`));
  await eventually(() =>
    said.some(({ code, reason }) => code === 'REDIS_UNREACHABLE' && /self.signed/.test(reason ?? '')),
  );
  redis.configure({ ...settings(`rediss://127.0.0.1:${server.port}/2`), insecure: true });
  await eventually(() => redis.status?.state === 'connected');
  expect(redis.status).toMatchObject({ address: `rediss://127.0.0.1:${server.port}/2` });
});

test('a user who may not publish is refused by name, and so is a memory that is full', async () => {
  await using server = await redisServer(
    ...['--user', 'looker', 'on', '>secret', '~*', '&*', '+pubsub', '+ping', '--maxmemory', '1'],
  );
  const { redis, said } = broker();
  await using _ = redis;
  const channel = redis.open('yard/people', () => {});
  redis.configure(settings(`redis://looker:secret@127.0.0.1:${server.port}`));
  await eventually(() => redis.status?.state === 'connected');
  channel.publish(picture('a'));
  await eventually(() => redis.status?.code === 'REDIS_FORBIDDEN');
  expect(redis.status).toMatchObject({ state: 'connected' });
  redis.configure(settings(`redis://127.0.0.1:${server.port}`));
  await eventually(() => redis.status?.state === 'connected');
  channel.publish({ ...picture('b'), keepSeconds: 5 });
  await eventually(() => redis.status?.code === 'REDIS_REFUSED');
  expect(said.map(({ reason }) => reason).join(' ')).not.toContain('secret');
});

test('in a cluster subscribers of all nodes count, plain and sharded ones, and each gets what is published', async () => {
  const bus = [await freePort(), await freePort()];
  const cluster = (n: number) => ['--cluster-enabled', 'yes', '--cluster-port', String(bus[n])];
  await using first = await redisServer(...cluster(0));
  await using second = await redisServer(...cluster(1));
  await using one = await client(first);
  await using two = await client(second);
  await one.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '8191']);
  await two.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '8192', '16383']);
  await one.sendCommand(['CLUSTER', 'MEET', '127.0.0.1', String(second.port), String(bus[1])]);
  for (const node of [one, two]) {
    await eventually(async () => (await node.clusterInfo()).includes('cluster_state:ok'), 60_000);
  }
  const { redis } = broker();
  await using _ = redis;
  const counts: number[] = [];
  const channel = redis.open('yard/people', (count) => counts.push(count));
  const addresses = [first, second].map(({ port }) => `redis://127.0.0.1:${port}`);
  redis.configure(settings(...addresses));
  const heard: string[] = [];
  await using listeners = new AsyncDisposableStack();
  for (const node of [first, second]) {
    const listening = listeners.use(await client(node));
    await listening.subscribe('yard/people', (message) => heard.push(message));
  }
  await eventually(() => channel.subscribers === 2, 60_000);
  channel.publish({ ...picture('plain'), keepSeconds: 60 });
  await eventually(() => heard.length === 2);
  expect(heard).toEqual(['plain', 'plain']);
  redis.configure({ ...settings(...addresses), sharded: true });
  await eventually(() => channel.subscribers === 0);
  // A sharded channel is at home where the key of its name is.
  const home = await Promise.any([one, two].map(async (node) => (await node.get('yard/people'), node)));
  const sharded = home.duplicate();
  sharded.on('error', () => {});
  await sharded.connect();
  await sharded.sSubscribe('yard/people', (message) => heard.push(message));
  await eventually(() => channel.subscribers === 1, 60_000);
  channel.publish(picture('sharded'));
  await eventually(() => heard.length === 3);
  expect(heard[2]).toBe('sharded');
  sharded.destroy();
});

async function client({ port }: TestRedis) {
  const connected = createClient({ url: `redis://127.0.0.1:${port}`, socket: { reconnectStrategy: false } });
  connected.on('error', () => {});
  await connected.connect();
  return Object.assign(connected, {
    async [Symbol.asyncDispose]() {
      connected.destroy();
    },
  });
}
