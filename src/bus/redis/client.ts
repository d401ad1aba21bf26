import type { RedisClientType, RedisClusterType } from '@redis/client';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import type { ConnectRedis, RedisConnection, RedisSettings } from './connection.ts';
import { redisError } from './errors.ts';

const CONNECT_MS = 5000;
const PORT = 6379;
/** Nodes of a cluster connect anew by themselves, within so many milliseconds. */
const NODE_BACKOFF = { first: 250, most: 2000 };

/**
 * Connects by node-redis, which is loaded with the first connection. It queues nothing while it is not connected, and a
 * single connection that is lost stays so: when it is tried again is not its own affair.
 */
export const connectRedis: ConnectRedis = async (settings, onLost, signal) => {
  const address = shownAddresses(settings);
  const { createClient, createCluster } = await import('@redis/client');
  const { nodes, login, database, tls } = readAddresses(settings);
  const common = {
    ...login,
    RESP: 2 as const,
    disableOfflineQueue: true,
    maintNotifications: 'disabled' as const,
  };
  const socket = { connectTimeout: CONNECT_MS, ...(tls ? { tls: true as const, ...tls } : {}) };
  const isCluster = nodes.length > 1;
  const client = isCluster
    ? (createCluster({
        rootNodes: nodes.map((node) => ({ socket: { ...node, ...socket } as object })),
        defaults: {
          ...common,
          socket: { ...socket, reconnectStrategy: nodeBackoff },
        },
      }) as unknown as RedisClusterType)
    : (createClient({
        ...common,
        database,
        socket: { ...nodes[0], ...socket, reconnectStrategy: false } as object,
      }) as unknown as RedisClientType);
  let standing = false;
  let lost = false;
  const lose = (error: unknown) => {
    if (!standing || lost) return;
    lost = true;
    onLost(redisError(error, address));
  };
  // Without a listener an error would end the process. A node of a cluster comes back by itself.
  client.on('error', (error: unknown) => {
    if (!isCluster) lose(error);
  });
  const close = () => {
    lost = true;
    // It throws where there is nothing to destroy any more.
    try {
      client.destroy();
    } catch {}
  };
  signal.addEventListener('abort', close, { once: true });
  try {
    await client.connect();
    signal.throwIfAborted();
  } catch (error) {
    close();
    throw redisError(error, address);
  } finally {
    signal.removeEventListener('abort', close);
  }
  standing = true;
  const { sharded } = settings;
  return {
    ...(isCluster
      ? ofCluster(client as RedisClusterType, sharded)
      : ofOne(client as RedisClientType, sharded)),
    close,
  };
};

type Commands = Omit<RedisConnection, 'close'>;

function ofOne(client: RedisClientType, sharded: boolean): Commands {
  return {
    async publish(channel, message) {
      await (sharded ? client.sPublish(channel, message) : client.publish(channel, message));
    },
    async keep(key, value, seconds) {
      await client.set(key, value, { expiration: { type: 'EX', value: seconds } });
    },
    subscribers: (channels) => subscribersAt(client, channels, sharded),
  };
}

function ofCluster(cluster: RedisClusterType, sharded: boolean): Commands {
  return {
    async publish(channel, message) {
      await (sharded ? cluster.sPublish(channel, message) : cluster.publish(channel, message));
    },
    async keep(key, value, seconds) {
      await cluster.set(key, value, { expiration: { type: 'EX', value: seconds } });
    },
    /** Each node knows its own subscribers only. One that does not answer has none that could be reached. */
    async subscribers(channels) {
      const asked = [...cluster.masters, ...cluster.replicas].map(async (node) =>
        subscribersAt((await cluster.nodeClient(node)) as unknown as RedisClientType, channels, sharded),
      );
      const answers = await Promise.allSettled(asked);
      const counts = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      const [failed] = answers.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
      if (counts.length === 0) throw failed?.reason ?? new Error('the cluster has no nodes');
      return channels.map((_, n) => counts.reduce((sum, count) => sum + (count[n] ?? 0), 0));
    },
  };
}

async function subscribersAt(
  client: RedisClientType,
  channels: readonly string[],
  sharded: boolean,
): Promise<number[]> {
  const names = [...channels];
  const counts = await (sharded ? client.pubSubShardNumSub(names) : client.pubSubNumSub(names));
  return names.map((name) => Number(counts[name] ?? 0));
}

/** Jittered, so that many who lost a node do not come back at once. */
function nodeBackoff(retries: number): number {
  const full = Math.min(NODE_BACKOFF.most, NODE_BACKOFF.first * 2 ** Math.min(retries, 10));
  return full * (1 - Math.random() / 2);
}

/** As logs and answers show them. */
export function shownAddresses({ addresses }: RedisSettings): string {
  return addresses.map((address) => maskAddress(address)).join(', ');
}

interface Target {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly login: { readonly username?: string; readonly password?: string };
  readonly database: number;
  readonly tls: { readonly rejectUnauthorized: boolean; readonly servername?: string } | undefined;
}

/** User, password, number and TLS are those of the first address, nodes of a cluster have them all alike. */
function readAddresses({ addresses, insecure }: RedisSettings): Target {
  const urls = addresses.map((address) => new URL(address));
  const [first] = urls;
  if (!first) throw new NamedError('REDIS_UNREACHABLE', 'No address of Redis is given.', 503);
  const { username, password, pathname, protocol } = first;
  return {
    nodes: urls.map(({ hostname, port }) => ({
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port || PORT),
    })),
    login: {
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    },
    database: Number(pathname.slice(1) || 0),
    tls: protocol === 'rediss:' ? { rejectUnauthorized: !insecure } : undefined,
  };
}
