import { type FeedTrack, RtspFeedWriter } from '#feeds/rtp/feed-writer.ts';
import { framedPackets } from '#feeds/rtp/frames.ts';
import type { Chunk, FeedLimits, FeedWriter } from '#hub/feed.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { isRtcp } from '#protocols/rtp/packet.ts';

/**
 * Largest RTP packet before it is encrypted: leaves room for an extension, tag, UDP, IPv6 and a little more within 1280
 * bytes.
 */
const MAX_PACKET = 1200;
/** Packets of each track that can be sent again: 2 s of 2 Mbit/s. */
const HISTORY = 512;

/**
 * Writes a stream as the RTP packets that all viewers share: framed as for RTSP, so that a viewer's packets can be told
 * apart without a copy. Each viewer has its own keys, so only the encryption is its own. Keeps the latest packets for
 * viewers that miss some.
 */
export class WebRtcFeedWriter implements FeedWriter {
  readonly #inner: RtspFeedWriter;
  /** By source: packets at their sequence number modulo the history. */
  readonly #history = new Map<number, Buffer[]>();
  /** By source: number of the packet that its latest keyframe begins with. */
  readonly #keyframes = new Map<number, number>();
  /** What was taken apart last: every viewer is given the same bytes, one after the other. */
  #apart: { readonly bytes: Buffer; readonly packets: readonly Buffer[] } | undefined;

  constructor(options: { tracks: readonly FeedTrack[]; limits: FeedLimits; cname: string }) {
    this.#inner = new RtspFeedWriter({ ...options, maxPacketSize: MAX_PACKET });
    for (const { sequence } of options.tracks) this.#history.set(sequence.ssrc, []);
  }

  write(unit: AccessUnit, emit: (chunk: Chunk) => void): void {
    this.#inner.write(unit, (chunk) => {
      let isFirst = chunk.kind === 'video' && chunk.keyframe;
      for (const packet of this.packetsOf(chunk.bytes)) {
        if (isRtcp(packet)) continue;
        const ssrc = packet.readUInt32BE(8);
        const sequence = packet.readUInt16BE(2);
        const packets = this.#history.get(ssrc);
        if (packets) packets[sequence % HISTORY] = packet;
        if (isFirst) this.#keyframes.set(ssrc, sequence);
        isFirst = false;
      }
      emit(chunk);
    });
  }

  greeting(): readonly Buffer[] {
    return this.#inner.greeting();
  }

  /** The packets in bytes of this feed. */
  packetsOf(bytes: Buffer): readonly Buffer[] {
    if (this.#apart?.bytes !== bytes) this.#apart = { bytes, packets: framedPackets(bytes) };
    return this.#apart.packets;
  }

  /** The packet with this number, if it is among the latest. */
  packet(ssrc: number, sequence: number): Buffer | undefined {
    const packet = this.#history.get(ssrc)?.[sequence % HISTORY];
    return packet?.readUInt16BE(2) === sequence ? packet : undefined;
  }

  /** True for the packet that the latest keyframe of its source begins with. */
  beginsKeyframe(packet: Buffer): boolean {
    return this.#keyframes.get(packet.readUInt32BE(8)) === packet.readUInt16BE(2);
  }
}
