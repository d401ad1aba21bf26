import type { SentTrack } from '#protocols/sdp/webrtc-answer.ts';
import type { RtpDress } from '#protocols/srtp/srtp.ts';

/** Packets of a feed as an {@link OutgoingLine} looks at them. */
export interface LineOrigin {
  /** True for the packet that the latest keyframe begins with. */
  beginsKeyframe(packet: Buffer): boolean;
}

/** A packet and what it goes out as. */
export interface OutgoingPacket extends RtpDress {
  /** Of the feed, and shared, or of our own; header fields that are said here are not looked at. */
  readonly bytes: Buffer;
  readonly payloadType: number;
}

const RTP_HEADER = 12;
/** Numbers behind the latest one that are known to have gone out: half of all, as no other can be told apart. */
const MAX_SPAN = 0x7fff;

/**
 * One media section of a viewer. Whatever feed its packets come from, its own as they are or in another codec, they go out
 * as one source, with numbers and times that go on: pictures of another feed begin with a keyframe that is newer than all
 * that went before.
 */
export class OutgoingLine {
  readonly mid: string;
  readonly kind: string;
  readonly ssrc: number;
  readonly payloadType: number;
  /** What each packet carries behind its header; the same in all, since one that is sent again must be what it was. */
  readonly extension: Buffer | undefined;
  readonly #rtx: { readonly payloadType: number; readonly ssrc: number } | undefined;
  #origin: LineOrigin | undefined;
  /** Whose packets of the feed they are. */
  #source: number | undefined;
  /** What is added to the numbers of the feed, 16 bits. */
  #shift = 0;
  /** Number that went out first since the shift is what it is, as far back as can be told. */
  #first = 0;
  /** Number and time of what went out last, and the newest time: pictures may come in another order than they are shown. */
  #latest: { sequence: number; timestamp: number; newest: number } | undefined;
  #mayGoBack = false;
  #rtxSequence: number;

  /** @param firstNumbers of packets and of packets sent again, 16 bits each; RFC 3550 section 5.1 wants them random */
  constructor(sent: SentTrack, firstNumbers: { readonly sequence: number; readonly rtxSequence: number }) {
    this.mid = sent.mid;
    this.kind = sent.track.format.kind;
    this.ssrc = sent.ssrc;
    this.payloadType = sent.format.payloadType;
    this.extension = sent.playoutDelay;
    this.#rtx = sent.rtx && { payloadType: sent.rtx.payloadType, ssrc: sent.rtxSsrc };
    this.#first = firstNumbers.sequence;
    this.#rtxSequence = firstNumbers.rtxSequence;
  }

  /** True when the packet is newer than all that went out. */
  isNewer(packet: Buffer): boolean {
    return !this.#latest || after(packet.readUInt32BE(4), this.#latest.newest);
  }

  /** True when the packet is of what went out last: from here on, another feed of the same source can go on. */
  isLevel(packet: Buffer): boolean {
    return packet.readUInt32BE(8) === this.#source && packet.readUInt32BE(4) === this.#latest?.timestamp;
  }

  /** True when the packet would go out now, be it as the first of another feed. */
  wouldTake(packet: Buffer, origin: LineOrigin): boolean {
    if (origin === this.#origin) return true;
    if (!this.#mayGoBack && !this.isNewer(packet)) return false;
    const goesOn = packet.readUInt32BE(8) === this.#source;
    return this.kind !== 'video' || goesOn || origin.beginsKeyframe(packet);
  }

  /** A packet of the feed as it goes out under its number. */
  dressed(bytes: Buffer, sequence: number): OutgoingPacket {
    const { payloadType, ssrc, extension } = this;
    return { bytes, payloadType, ssrc, sequence, extension };
  }

  /** The number under which a packet of the feed goes out; undefined where it does not. */
  place(packet: Buffer, origin: LineOrigin): number | undefined {
    if (!this.wouldTake(packet, origin)) return undefined;
    const own = packet.readUInt16BE(2);
    const timestamp = packet.readUInt32BE(4);
    const isBack = this.#mayGoBack;
    if (origin !== this.#origin) {
      this.#origin = origin;
      this.#source = packet.readUInt32BE(8);
      this.#mayGoBack = false;
      if (this.#latest) this.#first = (this.#latest.sequence + 1) & 0xffff;
      this.#shift = (this.#first - own) & 0xffff;
    }
    const sequence = (own + this.#shift) & 0xffff;
    if (((sequence - this.#first) & 0xffff) > MAX_SPAN) this.#first = (sequence - MAX_SPAN) & 0xffff;
    const newest = this.#latest && !isBack ? this.#latest.newest : timestamp;
    this.#latest = { sequence, timestamp, newest: after(timestamp, newest) ? timestamp : newest };
    return sequence;
  }

  /** Packets were left out: what follows begins with a keyframe. */
  interrupt(): void {
    this.#origin = undefined;
    this.#source = undefined;
  }

  /**
   * What the feed gives next may be what went out already, to be sent anew: it goes on in numbers and back in time, as
   * after a decoder has lost its way, and begins with a keyframe.
   */
  beginAnew(): void {
    this.interrupt();
    this.#mayGoBack = true;
  }

  /**
   * Number in its feed of a packet that went out under this one; undefined where it went out before the feed, or its
   * numbering, was what it is: another packet under a number that was used would lay the cipher open.
   */
  ownNumber(sequence: number): number | undefined {
    if (!this.#origin || !this.#latest) return undefined;
    const age = (this.#latest.sequence - sequence) & 0xffff;
    const span = (this.#latest.sequence - this.#first) & 0xffff;
    return age <= span ? (sequence - this.#shift) & 0xffff : undefined;
  }

  /**
   * A packet that went out before as it is sent again: in a packet of its own where the browser takes those (RFC 4588),
   * which its statistics can tell apart, else under its old number.
   */
  again(packet: Buffer, sequence: number): OutgoingPacket {
    const rtx = this.#rtx;
    if (!rtx) return this.dressed(packet, sequence);
    const bytes = Buffer.allocUnsafe(packet.length + 2);
    packet.copy(bytes, 0, 0, RTP_HEADER);
    bytes.writeUInt16BE(sequence, RTP_HEADER);
    packet.copy(bytes, RTP_HEADER + 2, RTP_HEADER);
    const own = this.#rtxSequence;
    this.#rtxSequence = (own + 1) & 0xffff;
    return { bytes, ...rtx, sequence: own, extension: this.extension };
  }
}

/** True when `a` is later than `b`; times of 32 bits wrap. */
function after(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}
