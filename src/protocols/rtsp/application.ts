import type { RtspAddress } from './address.ts';

export type MaybePromise<T> = T | Promise<T>;

/** RTP and RTCP channel of one track. */
export type ChannelPair = readonly [number, number];

export interface DescribeAnswer {
  readonly sdp: string;
  /** Name of the stream; base of the addresses of its tracks. */
  readonly name: string;
}

export interface SetupRequest {
  /** Name of the stream. */
  readonly name: string;
  /** What the address says behind the name, e.g. `trackID=0`; empty when it names the stream as a whole. */
  readonly track: string;
  /** Of the frames in the connection. Over UDP no such frames travel, and the pair only names the track in the session. */
  readonly channels: ChannelPair;
  /** UDP ports of the client for RTP and RTCP; undefined where media travels inside the connection. */
  readonly clientPorts?: readonly [number, number];
  /** The client wants what is sent to many at a time. */
  readonly multicast?: true;
}

/** Where a track is sent to many at a time. */
export interface MulticastGroup {
  /** IPv4. */
  readonly address: string;
  /** Ports of RTP and RTCP. */
  readonly ports: readonly [number, number];
  readonly ttl: number;
}

export interface SetupAnswer {
  /** Synchronisation source of the packets that we send. */
  readonly ssrc?: number;
  /** Where multicast was asked for. */
  readonly group?: MulticastGroup;
}

export interface PlayAnswer {
  /** Tracks in the order of their set-up; `url` is the track's control, made absolute by the session. */
  readonly info: readonly {
    readonly track: string;
    readonly sequence: number;
    readonly timestamp?: number;
  }[];
  /** Called as soon as the response was given out: from here on media may follow. */
  readonly start: () => void;
}

/** A request that names a stream, before anything else is done about it. */
export interface AdmissionRequest {
  readonly method: 'DESCRIBE' | 'ANNOUNCE' | 'SETUP';
  readonly address: RtspAddress;
  /** The Authorization header. */
  readonly authorization: string | undefined;
}

/**
 * What stands behind a session: the server. A method that throws (or rejects with) a NamedError answers the request
 * with that error; other errors are answered by 500 and handed to `fault`.
 */
export interface RtspApplication {
  /**
   * Whether whoever asks may do so; a refusal with challenges (AccessRefusal) is answered by 401 with them. Undefined:
   * they may, there was nothing to ask. Without it everybody may do everything.
   */
  admit?(request: AdmissionRequest): Promise<void> | undefined;
  describe(address: RtspAddress): MaybePromise<DescribeAnswer>;
  /** A publisher shows what it will send; `name` is the address's path. */
  announce(name: string, sdp: string): void;
  /** Whether the track may be set up; an empty `track` must be refused (459) by who has several. */
  setupPlay(setup: SetupRequest): MaybePromise<SetupAnswer | undefined>;
  setupRecord(setup: SetupRequest): MaybePromise<undefined>;
  play(): PlayAnswer;
  pause(): void;
  record(): void;
  /** RTP and RTCP of the other side, in READY, PLAYING and RECORDING. */
  interleaved(channel: number, payload: Buffer): void;
  /** Bytes that the client's system has taken so far; while they grow, a reader is alive. */
  progress(): number;
  /** The session is over, by TEARDOWN, by a fault, or by its time-out; the connection may go on. */
  released(reason: string): void;
  /** The connection must be closed (after what was sent before). */
  disconnect(reason: string): void;
  /** Something that should not have been thrown. */
  fault(error: unknown): void;
}
