/**
 * Channels that programs outside of Sluice subscribe to. Their subscribers are only known from time to time; what is
 * published while nobody can take it is given up for what is newer, and never waits in a row.
 */
export interface Broker {
  readonly status: BrokerStatus | undefined;
  /**
   * Takes part in a channel; the same one may be opened several times.
   * @param onSubscribers told whenever the number of subscribers changes; before the first word there are none
   */
  open(name: string, onSubscribers: (subscribers: number) => void): BrokerChannel;
}

/** How the connection to the broker stands; undefined where none is configured. */
export interface BrokerStatus {
  readonly state: 'connecting' | 'connected' | 'waiting';
  /** Where, without credentials. */
  readonly address: string;
  /** Why it is not connected, or what it refuses, in a sentence. */
  readonly reason?: string;
  readonly code?: string;
  /** When the state began, ms since 1970. */
  readonly since: number;
}

export interface BrokerChannel extends Disposable {
  readonly name: string;
  readonly subscribers: number;
  readonly counters: BrokerCounters;
  /** Sends a message; one is under way at a time, and of those that wait the newest is kept. */
  publish(message: BrokerMessage): void;
}

export interface BrokerCounters {
  /** Messages that the broker has taken. */
  readonly published: number;
  /** Messages that were given up for a newer one. */
  readonly replaced: number;
  /** Messages that the broker did not take. */
  readonly failed: number;
}

export interface BrokerMessage {
  /** Makes the bytes, when it is their turn: the broker has done with those of the message before by then. */
  readonly bytes: () => Buffer;
  /** Subscribers get it. */
  readonly publish: boolean;
  /** It is kept under the name of the channel for so many seconds too. */
  readonly keepSeconds?: number | undefined;
}
