/** One access unit inside a fragment. Times are ticks of the fragment track's timescale. */
export interface Sample {
  /** As in an access unit: NAL units without start codes, units of AV1, a frame. */
  readonly payload: readonly Buffer[];
  /** Bytes in the file: the payload, with four more for each NAL unit where `lengthPrefixed`. */
  readonly size: number;
  readonly duration: number;
  /** Decoding can start here. */
  readonly sync: boolean;
  /** `pts - dts`; may be negative. */
  readonly compositionOffset: number;
}

/** Bytes of a sample in the file. */
export function sampleSize(payload: readonly Buffer[], lengthPrefixed: boolean): number {
  return payload.reduce((sum, part) => sum + part.length + (lengthPrefixed ? 4 : 0), 0);
}

/** Consecutive samples of one track. */
export interface TrackRun {
  /** Track number in the initialisation segment (from 1). */
  readonly trackId: number;
  /** `dts` of the first sample. */
  readonly baseTime: number;
  /** Each part of a payload gets its length in front (H.264 and H.265, ISO/IEC 14496-15). */
  readonly lengthPrefixed: boolean;
  readonly samples: readonly Sample[];
}

/**
 * Bytes that the wire wants in front of each message, such as the header of a WebSocket frame. They are written into
 * the same Buffer as the message, so that the media is copied once.
 */
export interface Envelope {
  headerSize(size: number): number;
  /** Writes `headerSize(size)` bytes at the start of `target`. */
  writeHeader(target: Buffer, size: number): void;
}

export const noEnvelope: Envelope = { headerSize: () => 0, writeHeader: () => {} };

const TRUN_FLAGS = 0x000701; // data-offset, and per sample duration, size and flags
const TRUN_COMPOSITION_OFFSETS = 0x000800;
const TFHD_DEFAULT_BASE_IS_MOOF = 0x020000;
/** sample_depends_on = 2: needs no other picture. */
const SYNC_SAMPLE = 0x02000000;
/** sample_depends_on = 1, sample_is_non_sync_sample = 1. */
const NON_SYNC_SAMPLE = 0x01010000;

const MOOF_SIZE = 8 + 16; // moof header, mfhd
const TRAF_SIZE = 8 + 16 + 20; // traf header, tfhd, tfdt version 1

/**
 * Writes one fragment (`moof` and `mdat`, ISO/IEC 14496-12 §8.8) into one Buffer of exact size, header of the envelope
 * included. Each media byte is copied once.
 */
export function mediaFragment(
  sequence: number,
  runs: readonly TrackRun[],
  envelope: Envelope = noEnvelope,
): Buffer {
  let moofSize = MOOF_SIZE;
  let mediaSize = 0;
  for (const run of runs) {
    moofSize += TRAF_SIZE + 20 + run.samples.length * (hasOffsets(run) ? 16 : 12);
    for (const sample of run.samples) mediaSize += sample.size;
  }
  const size = moofSize + 8 + mediaSize;
  const start = envelope.headerSize(size);
  const out = Buffer.allocUnsafe(start + size);
  envelope.writeHeader(out, size);

  let at = writeHeader(out, start, moofSize, 'moof');
  at = writeHeader(out, at, 16, 'mfhd');
  at = out.writeUInt32BE(0, at);
  at = out.writeUInt32BE(sequence >>> 0, at);
  let dataOffset = moofSize + 8;
  for (const run of runs) {
    at = writeTraf(out, at, run, dataOffset);
    for (const sample of run.samples) dataOffset += sample.size;
  }
  at = writeHeader(out, at, 8 + mediaSize, 'mdat');
  for (const run of runs) at = writeMedia(out, at, run);
  return out;
}

function hasOffsets(run: TrackRun): boolean {
  return run.samples.some((sample) => sample.compositionOffset !== 0);
}

function writeHeader(out: Buffer, at: number, size: number, type: string): number {
  out.writeUInt32BE(size, at);
  out.write(type, at + 4, 4, 'latin1');
  return at + 8;
}

function writeTraf(out: Buffer, start: number, run: TrackRun, dataOffset: number): number {
  const offsets = hasOffsets(run);
  const trunSize = 20 + run.samples.length * (offsets ? 16 : 12);
  let at = writeHeader(out, start, TRAF_SIZE + trunSize, 'traf');

  at = writeHeader(out, at, 16, 'tfhd');
  at = out.writeUInt32BE(TFHD_DEFAULT_BASE_IS_MOOF, at);
  at = out.writeUInt32BE(run.trackId, at);

  at = writeHeader(out, at, 20, 'tfdt');
  at = out.writeUInt32BE(0x01000000, at); // version 1: 64 bit
  at = out.writeUInt32BE(Math.floor(run.baseTime / 2 ** 32), at);
  at = out.writeUInt32BE(run.baseTime % 2 ** 32, at);

  at = writeHeader(out, at, trunSize, 'trun');
  // Version 1: composition offsets are signed.
  at = out.writeUInt32BE(0x01000000 | TRUN_FLAGS | (offsets ? TRUN_COMPOSITION_OFFSETS : 0), at);
  at = out.writeUInt32BE(run.samples.length, at);
  at = out.writeInt32BE(dataOffset, at);
  for (const sample of run.samples) {
    at = out.writeUInt32BE(sample.duration, at);
    at = out.writeUInt32BE(sample.size, at);
    at = out.writeUInt32BE(sample.sync ? SYNC_SAMPLE : NON_SYNC_SAMPLE, at);
    if (offsets) at = out.writeInt32BE(sample.compositionOffset, at);
  }
  return at;
}

function writeMedia(out: Buffer, start: number, run: TrackRun): number {
  let at = start;
  for (const sample of run.samples) {
    for (const part of sample.payload) {
      if (run.lengthPrefixed) at = out.writeUInt32BE(part.length, at);
      out.set(part, at);
      at += part.length;
    }
  }
  return at;
}
