import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import type { BrokerStatus } from '../broker.ts';
import { RedisBroker } from './broker.ts';
import type { RedisConnection, RedisSettings } from './connection.ts';
import { redisError } from './errors.ts';

const settings = (address = 'redis://ann:secret@redis.invalid'): RedisSettings => ({
  ...{ addresses: [address], sharded: false, insecure: false },
});

/** One connection as the test wants it: what is sent waits for an answer. */
class FakeRedis implements RedisConnection {
  readonly sent: { what: string; answer: PromiseWithResolvers<void> }[] = [];
  readonly asked: string[][] = [];
  counts: Record<string, number> | 'silent' | 'refused' = {};
  closed = false;
  readonly lose: (error: NamedError) => void;

  constructor(lose: (error: NamedError) => void) {
    this.lose = lose;
  }

  publish(channel: string, message: Buffer): Promise<void> {
    return this.#send(`publish ${channel} ${message.toString()}`);
  }

  keep(key: string, value: Buffer, seconds: number): Promise<void> {
    return this.#send(`set ${key} ${value.toString()} ${seconds}`);
  }

  async subscribers(channels: readonly string[]): Promise<number[]> {
    this.asked.push([...channels]);
    if (this.counts === 'silent') await new Promise(() => {});
    if (this.counts === 'refused') throw new Error("NOPERM this user has no permissions to run 'pubsub'");
    const counts = this.counts as Record<string, number>;
    return channels.map((name) => counts[name] ?? 0);
  }

  close(): void {
    this.closed = true;
    for (const { answer } of this.sent) answer.reject(new Error('Disconnects client'));
  }

  get words(): string[] {
    return this.sent.map(({ what }) => what);
  }

  #send(what: string): Promise<void> {
    const answer = Promise.withResolvers<void>();
    answer.promise.catch(() => {});
    this.sent.push({ what, answer });
    return answer.promise;
  }
}

function setUp() {
  const clock = new VirtualClock();
  const redis: FakeRedis[] = [];
  const said: BrokerStatus[] = [];
  let refuses: Error | undefined;
  const broker = new RedisBroker({
    clock,
    random: () => 0,
    onStatus: (status) => said.push(status),
    connect: async (_, lose) => {
      if (refuses) throw refuses;
      const connection = new FakeRedis(lose);
      redis.push(connection);
      return connection;
    },
  });
  /** Lets what was promised happen, and time pass. */
  const pass = async (ms = 0) => {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const refuse = (error: Error | undefined) => {
    refuses = error;
  };
  return { clock, redis, said, broker, pass, refuse };
}

const text = (words: string, keepSeconds?: number) => ({
  bytes: () => Buffer.from(words),
  publish: true,
  keepSeconds,
});

describe('a channel of Redis', () => {
  it('has one message under way, and of those that come meanwhile sends the newest', async () => {
    const { broker, redis, pass } = setUp();
    broker.configure(settings());
    const channel = broker.open('yard/people', () => {});
    await pass();
    let made = 0;
    for (const word of ['a', 'b', 'c', 'd']) {
      channel.publish({ ...text(word), bytes: () => Buffer.from(`${word}${++made}`) });
    }
    expect(redis[0]?.words).toEqual(['publish yard/people a1']);
    redis[0]!.sent[0]!.answer.resolve();
    await pass();
    expect(redis[0]?.words).toEqual(['publish yard/people a1', 'publish yard/people d2']);
    expect(channel.counters).toEqual({ published: 1, replaced: 2, failed: 0 });
  });

  it('keeps the newest message, one alone, while Redis is away', async () => {
    const { broker, redis, pass, refuse } = setUp();
    broker.configure(settings());
    const channel = broker.open('yard/people', () => {});
    await pass();
    channel.publish(text('under way', 60));
    refuse(new Error('connect ECONNREFUSED'));
    redis[0]!.lose(new NamedError('REDIS_UNREACHABLE', 'gone', 503));
    for (const word of ['a', 'b', 'c']) channel.publish(text(word, 60));
    await pass(100);
    refuse(undefined);
    await pass(10_000);
    expect(redis[1]?.words).toEqual(['publish yard/people c', 'set yard/people c 60']);
    expect(channel.counters).toEqual({ published: 0, replaced: 2, failed: 1 });
  });

  it('says nothing any more when it is closed', async () => {
    const { broker, redis, pass } = setUp();
    const counts: number[] = [];
    broker.configure(settings());
    const channel = broker.open('a', (count) => counts.push(count));
    await pass();
    channel[Symbol.dispose]();
    channel.publish(text('late'));
    redis[0]!.counts = { a: 3 };
    await pass(5000);
    expect([counts, redis[0]?.words]).toEqual([[], []]);
  });
});

describe('the broker', () => {
  it('asks for the subscribers of all channels together, once a second and not without channels', async () => {
    const { broker, redis, pass } = setUp();
    broker.configure(settings());
    await pass(10_000);
    expect(redis[0]?.asked).toEqual([]);
    const counts: string[] = [];
    for (const name of ['a', 'b', 'a']) broker.open(name, (count) => counts.push(`${name} ${count}`));
    redis[0]!.counts = { a: 1 };
    await pass();
    await pass();
    expect(redis[0]?.asked).toEqual([['a', 'b']]);
    expect(counts).toEqual(['a 1', 'a 1']);
    for (let tenth = 0; tenth < 30; tenth++) await pass(100);
    expect(redis[0]?.asked).toHaveLength(4);
    redis[0]!.counts = { a: 1, b: 2 };
    await pass(1000);
    expect(counts).toEqual(['a 1', 'a 1', 'b 2']);
  });

  it('has no subscribers while Redis is away, and tries again with growing pauses', async () => {
    const { broker, redis, said, pass, refuse, clock } = setUp();
    const counts: number[] = [];
    broker.open('a', (count) => counts.push(count));
    broker.configure(settings());
    await pass();
    redis[0]!.counts = { a: 2 };
    await pass(1000);
    refuse(new Error('connect ECONNREFUSED 127.0.0.1:6379'));
    redis[0]!.lose(redisError(new Error('Socket closed unexpectedly'), 'redis://redis.invalid'));
    expect(counts).toEqual([2, 0]);
    const before = clock.now();
    for (let n = 0; n < 600; n++) await pass(100);
    const waits = said.filter(({ state }) => state === 'waiting').length;
    expect(waits).toBeGreaterThan(6);
    expect(waits).toBeLessThan(14);
    expect(said.at(-1)).toMatchObject({ state: 'waiting', code: 'REDIS_UNREACHABLE', since: before });
    refuse(undefined);
    await pass(10_000);
    expect(broker.status?.state).toBe('connected');
    await broker[Symbol.asyncDispose]();
    expect(clock.pending).toBe(0);
    expect(redis.at(-1)?.closed).toBe(true);
  });

  it('gives up a Redis that does not answer', async () => {
    const { broker, redis, pass } = setUp();
    broker.configure(settings());
    broker.open('a', () => {});
    await pass();
    redis[0]!.counts = 'silent';
    await pass(1000);
    await pass(9999);
    expect(broker.status?.state).toBe('connected');
    await pass(1);
    expect(broker.status).toMatchObject({ state: 'waiting', code: 'REDIS_UNREACHABLE' });
    expect(redis[0]?.closed).toBe(true);
  });

  it('says what it is refused until it is not any more', async () => {
    const { broker, redis, said, pass } = setUp();
    broker.configure(settings());
    const channel = broker.open('a', () => {});
    await pass();
    redis[0]!.counts = 'refused';
    await pass(1000);
    expect(broker.status).toMatchObject({ state: 'connected', code: 'REDIS_FORBIDDEN' });
    channel.publish(text('x', 5));
    redis[0]!.sent[0]!.answer.reject(new Error('OOM command not allowed'));
    redis[0]!.counts = {};
    await pass();
    await pass(1000);
    expect(broker.status).toMatchObject({ state: 'connected', code: 'REDIS_REFUSED' });
    channel.publish(text('y'));
    redis[0]!.sent.at(-1)!.answer.resolve();
    await pass();
    expect(broker.status?.reason).toBeUndefined();
    expect(said.map(({ code }) => code)).toEqual([
      undefined,
      undefined,
      'REDIS_FORBIDDEN',
      'REDIS_REFUSED',
      undefined,
    ]);
  });

  it('goes on with other settings on another connection, and stays where they are the same', async () => {
    const { broker, redis, pass } = setUp();
    broker.configure(settings());
    await pass();
    broker.configure(settings());
    await pass();
    expect(redis).toHaveLength(1);
    broker.configure(settings('redis://other.invalid'));
    await pass();
    expect([redis[0]?.closed, redis[1]?.closed]).toEqual([true, false]);
    broker.configure(undefined);
    expect([redis[1]?.closed, broker.status]).toEqual([true, undefined]);
  });
});

describe('errors of Redis', () => {
  it.each([
    ['WRONGPASS invalid username-password pair or user is disabled.', 'REDIS_LOGIN_REFUSED'],
    ['NOAUTH Authentication required.', 'REDIS_LOGIN_REFUSED'],
    [
      'ERR AUTH <password> called without any password configured for the default user. Are you sure?',
      'REDIS_LOGIN_REFUSED',
    ],
    ["NOPERM User ann has no permissions to run the 'publish' command", 'REDIS_FORBIDDEN'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'REDIS_REFUSED'],
    ['ERR DB index is out of range', 'REDIS_REFUSED'],
    ['connect ECONNREFUSED 127.0.0.1:6379', 'REDIS_UNREACHABLE'],
    ['Connection timeout', 'REDIS_UNREACHABLE'],
    ['self-signed certificate', 'REDIS_UNREACHABLE'],
  ])('%s is %s', (said, code) => {
    expect(redisError(new Error(said), 'redis://redis.invalid')).toMatchObject({ code, status: 503 });
  });

  it('of several attempts say the first', () => {
    const error = new AggregateError([Object.assign(new Error(''), { code: 'ECONNREFUSED' })], '');
    expect(redisError(error, 'redis://redis.invalid').message).toContain('ECONNREFUSED');
  });
});
