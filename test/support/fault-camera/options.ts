import type { CameraClip } from './clip.ts';

/** Which tracks a fault concerns; both where nothing is said. */
export type CameraTrack = 'video' | 'audio';

/** A clock that jumps: from `atMs` of true time on it shows `byMs` more than before. */
export interface ClockJump {
  readonly atMs: number;
  /** Negative: back. */
  readonly byMs: number;
  readonly track?: CameraTrack;
}

/** What happens to packets on their way. Probabilities are 0..1. */
export interface PacketFaults {
  /** A packet is lost. */
  readonly loss?: number;
  /** Packets that are lost in a row, once one is lost; default 1. */
  readonly burst?: number;
  /** A packet comes `reorderMs` later than it should, behind those sent after it. */
  readonly reorder?: number;
  /** Default 20. */
  readonly reorderMs?: number;
  /** A packet comes twice. */
  readonly duplicate?: number;
  /** Each packet takes so long. */
  readonly delayMs?: number;
  /** Packets of sound take so much longer. */
  readonly audioDelayMs?: number;
  /** Packets of the picture take so much longer: a camera that encodes slowly. */
  readonly videoDelayMs?: number;
  /** Key pictures take so much longer, and what stands behind them waits. */
  readonly keyframeMs?: number;
  /** All packets keep one order, as in one TCP connection: what delays one delays those behind it. */
  readonly oneWay?: boolean;
  /** Pictures of the first so many ms come all at once at their end, and sound begins there, as from a relay. */
  readonly replayMs?: number;
  /** Each packet takes between 0 and so many ms longer; order is kept. */
  readonly jitterMs?: number;
  /** A packet is cut at a random place behind its first byte. */
  readonly truncate?: number;
  /** Bytes of an RTP packet at most; default 1400. */
  readonly maxSize?: number;
}

/** How the clocks of the camera run. */
export interface ClockFaults {
  /** The audio clock is so many millionths fast (negative: slow). */
  readonly audioPpm?: number;
  readonly videoPpm?: number;
  /** Pictures per true second, where it stamps as if they were as many as in the clip. */
  readonly deliveredFps?: number;
  /** RTP timestamps of media time 0, 32 bits; default 1,000,000 and 50,000,000. */
  readonly rtpStart?: { readonly video?: number; readonly audio?: number };
  /** RTP timestamps that jump. */
  readonly jumps?: readonly ClockJump[];
  /** Times in which nothing is made; the timestamps go on meanwhile, or `stop`. */
  readonly pauses?: readonly {
    readonly atMs: number;
    readonly forMs: number;
    readonly timestamps?: 'go-on' | 'stop';
  }[];
}

/** What the sender reports say. */
export interface ReportFaults {
  /** Tracks that have reports; default both. `[]`: none at all. */
  readonly tracks?: readonly CameraTrack[];
  /** Time between two reports of a track; default 5000. */
  readonly intervalMs?: number;
  /** When the first report of the picture is sent; default 0, with the first unit. */
  readonly firstMs?: number;
  /** How much later than the picture's the reports of the sound are sent; default 0. */
  readonly audioShiftMs?: number;
  /** A report arrives so long after it was made. */
  readonly delayMs?: number;
  /** The wall clock of the camera is so far ahead of the true one. */
  readonly wallOffsetMs?: number;
  /** The wall clock of the camera is set. */
  readonly wallJumps?: readonly ClockJump[];
  /** The wall clock in a report is off by up to so many ms, at random. */
  readonly jitterMs?: number;
  /** Their RTP time goes on with the wall clock, whatever the timestamps of the units do (ffmpeg). */
  readonly nominal?: boolean;
  /** The wall clock of single reports is off by so many ms: of the picture's first, second … and of the sound's. */
  readonly lies?: Partial<Readonly<Record<CameraTrack, readonly number[]>>>;
  /** Probability that a report lies… */
  readonly falseShare?: number;
  /** …and how: NTP 0, RTP time 0, both random, or a wall clock that is off by some seconds. */
  readonly falseKind?: 'zero-ntp' | 'zero-rtp' | 'random' | 'off';
}

/** What is wrong with the media themselves. */
export interface MediaFaults {
  /** Probability that the last NAL unit of a picture is cut. */
  readonly truncateNal?: number;
  /** Where parameter sets stand; default both. */
  readonly parameterSets?: 'both' | 'sdp' | 'in-band';
  /** From `atMs` on another clip is sent on the same tracks: other size, other parameter sets, other codec. */
  readonly changes?: readonly { readonly atMs: number; readonly clip: CameraClip }[];
}

/** How it ends. */
export interface FateFaults {
  /** From here on the connection is kept and nothing is sent. */
  readonly stallAtMs?: number;
  /** The connection is reset, without a goodbye. */
  readonly dieAtMs?: number;
  /** The camera says goodbye (RTCP BYE; TEARDOWN from a publisher) and closes. */
  readonly endAtMs?: number;
}

/** Methods at which a server can hang or refuse. */
export type ServerMethod = 'OPTIONS' | 'DESCRIBE' | 'SETUP' | 'PLAY' | 'GET_PARAMETER' | 'TEARDOWN';

/** How the camera misbehaves as a server. */
export interface ServerFaults {
  /** `connect`: the connection is taken and nothing is ever said; a method: it is never answered. */
  readonly hangAt?: 'connect' | ServerMethod;
  /** The status with which a method is refused. */
  readonly refuse?: Partial<Readonly<Record<ServerMethod, number>>>;
  /** The connection is reset when this method comes. */
  readonly resetAt?: 'connect' | ServerMethod;
  /** What becomes of the description. */
  readonly sdp?: 'empty' | 'no-media' | 'garbage' | 'cut' | 'huge' | ((sdp: string) => string);
  readonly auth?: {
    readonly scheme: 'basic' | 'digest-md5' | 'digest-sha256';
    readonly user: string;
    readonly password: string;
    /** After so many authorised requests the nonce is stale (`stale=true`); default never. */
    readonly staleAfter?: number;
  };
  /** Content-Length of responses with a body. */
  readonly contentLength?: 'missing' | 'too-short' | 'too-long' | 'negative' | 'words';
  /** Bytes of junk in front of every so manieth interleaved frame. */
  readonly junkEvery?: number;
  /** CSeq of the responses. */
  readonly cseq?: 'wrong' | 'missing';
}

/** All that a camera can do wrong. Nothing set: a camera without a fault. The same seed gives the same bytes. */
export interface FaultCameraOptions {
  readonly clip: CameraClip;
  /** Default 1. */
  readonly seed?: number;
  /** True wall clock, ms since 1970, of time 0; default 1,790,000,000,000. */
  readonly startedAt?: number;
  readonly packets?: PacketFaults;
  readonly clocks?: ClockFaults;
  readonly reports?: ReportFaults;
  readonly media?: MediaFaults;
  readonly fate?: FateFaults;
  readonly server?: ServerFaults;
}
