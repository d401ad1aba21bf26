/** One coded picture or audio frame as it left the RTP packets. */
export interface CodedFrame {
  /** RTP time, 32 bits. */
  readonly timestamp: number;
  /** Video: NAL units. Audio: one element. Slices of the packets, except where fragments had to be joined. */
  readonly payload: Buffer[];
  readonly keyframe: boolean;
}

/** The payload of one RTP packet, in order of sequence numbers. */
export interface DepacketizerInput {
  readonly payload: Buffer;
  readonly marker: boolean;
  /** 32 bits. */
  readonly timestamp: number;
  /** True when packets are missing between the one before and this one. */
  readonly lost: boolean;
}

/**
 * Turns RTP payloads into frames. Never throws: what is broken is left out. A loss inside a frame drops that frame, and
 * what is kept is bounded (FRAME_LIMITS).
 */
export interface Depacketizer {
  push(packet: DepacketizerInput): CodedFrame[];
  /** Frames given up: incomplete, broken or too large. */
  readonly dropped: number;
}

/** One RTP payload to send; the parts are slices of the frame and small headers, to be written one after another. */
export interface RtpPayload {
  readonly parts: Buffer[];
  readonly marker: boolean;
  /** Ticks after the timestamp of the frame. */
  readonly timestampOffset: number;
}

/** Splits one frame into RTP payloads of at most `maxPayloadSize` bytes each. */
export interface Packetizer {
  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[];
}

/** What one frame may take before it is given up. */
export const FRAME_LIMITS = { bytes: 8 * 1024 * 1024, nals: 4096 } as const;
