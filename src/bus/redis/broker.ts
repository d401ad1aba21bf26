import { Backoff } from '#util/backoff.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import type { Broker, BrokerStatus } from '../broker.ts';
import { RedisChannel } from './channel.ts';
import { shownAddresses } from './client.ts';
import type { ConnectRedis, RedisConnection, RedisSettings } from './connection.ts';
import { redisError } from './errors.ts';

/** Subscribers are asked for so long after the last answer. */
const POLL_MS = 1000;
/** Redis that has not answered for so long is lost; a frame on a slow network takes seconds. */
const PATIENCE_MS = 10_000;

export interface RedisBrokerOptions {
  readonly connect: ConnectRedis;
  readonly clock: Clock;
  readonly onStatus?: (status: BrokerStatus) => void;
  readonly random?: () => number;
}

/**
 * Redis as the broker: one connection, tried again by a jittered back-off for as long as it is configured. Channels with
 * subscribers are found out by one question a second for all of them, and without channels nothing is asked. While Redis is
 * away nobody subscribes to anything.
 */
export class RedisBroker implements Broker, AsyncDisposable {
  readonly #options: RedisBrokerOptions;
  readonly #channels = new Set<RedisChannel>();
  readonly #backoff: Backoff;
  #settings: RedisSettings | undefined;
  #status: BrokerStatus | undefined;
  #connection: RedisConnection | undefined;
  #attempt: AbortController | undefined;
  #cancelTimer = () => {};
  #cancelPatience = () => {};
  #polling = false;
  /** What is refused, by who was refused; the broker itself by its questions. */
  readonly #refusals = new Map<object, NamedError>();

  constructor(options: RedisBrokerOptions) {
    this.#options = options;
    this.#backoff = new Backoff({
      maximum: 10_000,
      ...(options.random ? { random: options.random } : {}),
    });
  }

  get status(): BrokerStatus | undefined {
    return this.#status;
  }

  /** Goes on with other settings, on another connection; undefined: with none. */
  configure(settings: RedisSettings | undefined): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#end();
    this.#settings = settings;
    this.#status = undefined;
    this.#backoff.reset();
    if (settings) this.#connect(settings);
  }

  open(name: string, onSubscribers: (subscribers: number) => void): RedisChannel {
    const channel: RedisChannel = new RedisChannel({
      name,
      onSubscribers,
      onOutcome: (error) => this.#outcome(channel, error),
      onClose: () => {
        this.#channels.delete(channel);
        this.#outcome(channel, undefined);
      },
    });
    this.#channels.add(channel);
    channel.attach(this.#connection);
    // Who opens many opens them in one go: they are asked for together.
    if (this.#connection && !this.#polling) this.#pollIn(0);
    return channel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.configure(undefined);
    for (const channel of [...this.#channels]) channel[Symbol.dispose]();
  }

  #connect(settings: RedisSettings): void {
    const attempt = new AbortController();
    this.#attempt = attempt;
    if (!this.#status) this.#say({ state: 'connecting' });
    const lose = (error: unknown) => {
      if (this.#attempt === attempt) this.#lost(settings, this.#named(error));
    };
    this.#options.connect(settings, lose, attempt.signal).then((connection) => {
      if (this.#attempt !== attempt) return connection.close();
      this.#connection = connection;
      this.#backoff.reset();
      this.#say({ state: 'connected' });
      for (const channel of this.#channels) channel.attach(connection);
      this.#pollIn(0);
    }, lose);
  }

  #lost(settings: RedisSettings, { code, message: reason }: NamedError): void {
    this.#end();
    this.#say({ state: 'waiting', reason, code });
    this.#cancelTimer = this.#options.clock.after(this.#backoff.next(), () => this.#connect(settings));
  }

  #end(): void {
    this.#cancelTimer();
    this.#cancelPatience();
    this.#attempt?.abort();
    this.#attempt = undefined;
    this.#polling = false;
    this.#refusals.clear();
    const connection = this.#connection;
    this.#connection = undefined;
    for (const channel of this.#channels) channel.attach(undefined);
    connection?.close();
  }

  #pollIn(ms: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(ms, () => void this.#poll());
  }

  async #poll(): Promise<void> {
    const connection = this.#connection;
    const settings = this.#settings;
    if (!connection || !settings || this.#channels.size === 0) return;
    const names = [...new Set([...this.#channels].map(({ name }) => name))];
    this.#polling = true;
    this.#cancelPatience = this.#options.clock.after(PATIENCE_MS, () =>
      this.#lost(settings, this.#silent(settings)),
    );
    try {
      const counts = await connection.subscribers(names);
      if (connection !== this.#connection) return;
      this.#outcome(this, undefined);
      const byName = new Map(names.map((name, n) => [name, counts[n] ?? 0]));
      for (const channel of [...this.#channels])
        channel.count(byName.get(channel.name) ?? channel.subscribers);
    } catch (error) {
      // That the connection is lost comes by itself; an answer that is an error leaves it standing.
      if (connection !== this.#connection) return;
      this.#outcome(this, error);
      for (const channel of this.#channels) channel.count(0);
    }
    this.#cancelPatience();
    this.#polling = false;
    this.#pollIn(POLL_MS);
  }

  /** Whether a connection that stands did what it was asked. */
  #outcome(who: object, error: unknown): void {
    if (!this.#connection) return;
    if (error === undefined) this.#refusals.delete(who);
    else this.#refusals.set(who, this.#named(error));
    const [refusal] = this.#refusals.values();
    if (refusal?.message === this.#status?.reason) return;
    this.#say({ state: 'connected', ...(refusal && { reason: refusal.message, code: refusal.code }) });
  }

  #silent(settings: RedisSettings): NamedError {
    return new NamedError(
      'REDIS_UNREACHABLE',
      `Redis at ${shownAddresses(settings)} has not answered for ${PATIENCE_MS / 1000} s. It is tried again.`,
      503,
    );
  }

  #named(error: unknown): NamedError {
    return redisError(error, this.#settings ? shownAddresses(this.#settings) : '');
  }

  #say(status: Pick<BrokerStatus, 'state' | 'reason' | 'code'>): void {
    if (!this.#settings) return;
    const { clock, onStatus } = this.#options;
    const same = status.state === this.#status?.state;
    const since = same && this.#status ? this.#status.since : clock.now();
    this.#status = { ...status, address: shownAddresses(this.#settings), since };
    onStatus?.(this.#status);
  }
}
