import type { NamedError } from '#util/named-error.ts';

/** What is needed of Redis, by one connection or those to a cluster. All of it rejects with what Redis or the socket said. */
export interface RedisConnection {
  publish(channel: string, message: Buffer): Promise<void>;
  keep(key: string, value: Buffer, seconds: number): Promise<void>;
  /** How many subscribe to each of these channels, over all nodes; in the order asked. */
  subscribers(channels: readonly string[]): Promise<number[]>;
  /** Idempotent; what is under way rejects. */
  close(): void;
}

export interface RedisSettings {
  /** One address, or some nodes of a cluster: `redis://user:password@host:port/db`, `rediss://`. */
  readonly addresses: readonly string[];
  /** Channels are sharded ones (`SPUBLISH`). */
  readonly sharded: boolean;
  /** Any certificate is taken. */
  readonly insecure: boolean;
}

/**
 * Connects and logs in.
 * @param onLost told once when a connection that stood is gone for good
 * @throws NamedError REDIS_UNREACHABLE, REDIS_LOGIN_REFUSED, REDIS_REFUSED
 */
export type ConnectRedis = (
  settings: RedisSettings,
  onLost: (error: NamedError) => void,
  signal: AbortSignal,
) => Promise<RedisConnection>;
