import { type PacketCipher, packetCipher } from './cipher.ts';
import { type MasterKey, type SrtpProfile, sessionKeys } from './keys.ts';

/** Packets behind the newest one that are still told from replays (RFC 3711 section 3.3.2 asks for 64 at least). */
const REPLAY_WINDOW = 1024;
/** Sources whose state is kept; a session has few, and each is taken up only with a packet that is authentic. */
const MAX_SOURCES = 32;

/** RTCP's header with the sender's source, in clear (RFC 3711 section 3.4). */
const RTCP_CLEAR = 8;
const RTCP_WORD = 4;
/** In the first byte of RTP: an extension follows the header. */
const EXTENSION = 0x10;

/** Whose packet it is, and which of theirs. */
export interface RtpIdentity {
  readonly ssrc: number;
  /** 16 bits. */
  readonly sequence: number;
}

/** What an RTP packet goes out as, where that is not what it is. */
export interface RtpDress extends RtpIdentity {
  /** A block of header extensions (RFC 8285), profile and length included, for a packet that has none. */
  readonly extension?: Buffer | undefined;
}

/** Protects what goes out in one direction. One key, so no two packets may have the same source and index. */
export class SrtpSender {
  readonly #rtp: PacketCipher;
  readonly #rtcp: PacketCipher;
  readonly #isCounter: boolean;
  /** Highest index by source. */
  readonly #highest = new Map<number, number>();
  #rtcpIndex = 0;

  constructor(master: MasterKey) {
    this.#rtp = packetCipher(master.profile, sessionKeys(master, 'rtp'), 'rtp');
    this.#rtcp = packetCipher(master.profile, sessionKeys(master, 'rtcp'), 'rtcp');
    this.#isCounter = isCounter(master.profile);
  }

  /**
   * An RTP packet as it goes out, in a Buffer of its own; the packet is not touched, and may be shared. A packet sent
   * again must be equal to the first one, or different plain texts would meet the same key stream.
   * @param payloadType instead of the packet's own
   * @param as what it goes out as, where that is not what it is
   */
  rtp(packet: Buffer, payloadType: number, as?: RtpDress): Buffer {
    const ssrc = as?.ssrc ?? packet.readUInt32BE(8);
    const sequence = as?.sequence ?? packet.readUInt16BE(2);
    const before = this.#highest.get(ssrc);
    const index = before === undefined ? sequence : nearestIndex(before, sequence);
    if (before === undefined || index > before) this.#highest.set(ssrc, index);
    const header = rtpHeaderSize(packet) ?? 12;
    const extension = hasExtension(packet) ? undefined : as?.extension;
    const clear = header + (extension?.length ?? 0);
    const body = packet.subarray(header);
    const out = Buffer.allocUnsafe(clear + body.length + this.#rtp.tagSize);
    packet.copy(out, 0, 0, header);
    if (extension) {
      extension.copy(out, header);
      out[0] = (packet[0] ?? 0) | EXTENSION;
    }
    out[1] = ((packet[1] ?? 0) & 0x80) | payloadType;
    if (as) {
      out.writeUInt16BE(sequence, 2);
      out.writeUInt32BE(ssrc, 8);
    }
    this.#rtp.seal(body, clear, ssrc, index, out);
    return out;
  }

  /** A compound RTCP packet as it goes out. */
  rtcp(packet: Buffer): Buffer {
    const index = this.#rtcpIndex;
    this.#rtcpIndex = (index + 1) % 2 ** 31;
    const { tagSize } = this.#rtcp;
    const out = Buffer.allocUnsafe(packet.length + tagSize + RTCP_WORD);
    packet.copy(out, 0, 0, RTCP_CLEAR);
    this.#rtcp.seal(packet.subarray(RTCP_CLEAR), RTCP_CLEAR, packet.readUInt32BE(4), index, out);
    // AEAD: tag, then word; HMAC: word, then tag.
    const at = packet.length + (this.#isCounter ? 0 : tagSize);
    if (this.#isCounter) out.copyWithin(packet.length + RTCP_WORD, packet.length, packet.length + tagSize);
    out.writeUInt32BE((index | 0x8000_0000) >>> 0, at);
    return out;
  }
}

/** Opens what comes in from one direction; what is not authentic, or came before, is undefined. */
export class SrtpReceiver {
  readonly #rtp: PacketCipher;
  readonly #rtcp: PacketCipher;
  readonly #isCounter: boolean;
  readonly #sources = new Map<number, ReplayWindow>();
  readonly #rtcpSources = new Map<number, ReplayWindow>();

  constructor(master: MasterKey) {
    this.#rtp = packetCipher(master.profile, sessionKeys(master, 'rtp'), 'rtp');
    this.#rtcp = packetCipher(master.profile, sessionKeys(master, 'rtcp'), 'rtcp');
    this.#isCounter = isCounter(master.profile);
  }

  rtp(packet: Buffer): Buffer | undefined {
    const clear = rtpHeaderSize(packet);
    if (clear === undefined) return undefined;
    const ssrc = packet.readUInt32BE(8);
    const sequence = packet.readUInt16BE(2);
    const window = this.#sources.get(ssrc);
    const index = window ? nearestIndex(window.highest, sequence) : sequence;
    if (window?.has(index)) return undefined;
    const opened = this.#rtp.open(packet, clear, ssrc, index);
    if (opened) note(this.#sources, ssrc, index);
    return opened;
  }

  rtcp(packet: Buffer): Buffer | undefined {
    const { tagSize } = this.#rtcp;
    const end = packet.length - tagSize - RTCP_WORD;
    if (end < RTCP_CLEAR || (packet[0] ?? 0) >> 6 !== 2) return undefined;
    const wordAt = this.#isCounter ? end : end + tagSize;
    const word = packet.readUInt32BE(wordAt);
    // Both profiles always encrypt RTCP.
    if (word < 0x8000_0000) return undefined;
    const index = word & 0x7fff_ffff;
    const ssrc = packet.readUInt32BE(4);
    if (this.#rtcpSources.get(ssrc)?.has(index)) return undefined;
    const tagAt = this.#isCounter ? end + RTCP_WORD : end;
    const sealed = Buffer.concat([packet.subarray(0, end), packet.subarray(tagAt, tagAt + tagSize)]);
    const opened = this.#rtcp.open(sealed, RTCP_CLEAR, ssrc, index);
    if (opened) note(this.#rtcpSources, ssrc, index);
    return opened;
  }
}

function isCounter(profile: SrtpProfile): boolean {
  return profile === 'aes128-cm-sha1-80';
}

function note(sources: Map<number, ReplayWindow>, ssrc: number, index: number): void {
  let window = sources.get(ssrc);
  if (!window) {
    if (sources.size >= MAX_SOURCES) return;
    sources.set(ssrc, (window = new ReplayWindow()));
  }
  window.note(index);
}

/** Which of the latest packets came. */
class ReplayWindow {
  highest = -1;
  /** By index modulo the window: the index that came last there. */
  readonly #seen = new Float64Array(REPLAY_WINDOW).fill(-1);

  /** True also for what is too old to be told. */
  has(index: number): boolean {
    return this.highest - index >= REPLAY_WINDOW || this.#seen[index % REPLAY_WINDOW] === index;
  }

  note(index: number): void {
    this.highest = Math.max(this.highest, index);
    this.#seen[index % REPLAY_WINDOW] = index;
  }
}

/** The index with this sequence number that lies nearest to the highest so far (RFC 3711 section 3.3.1). */
export function nearestIndex(highest: number, sequence: number): number {
  const ahead = ((sequence - highest) << 16) >> 16;
  const index = highest + ahead;
  return index < 0 ? index + 65_536 : index;
}

function hasExtension(packet: Buffer): boolean {
  return ((packet[0] ?? 0) & EXTENSION) !== 0;
}

/** Size of the header with contributing sources and extension; undefined when it is no RTP. */
export function rtpHeaderSize(packet: Buffer): number | undefined {
  const first = packet[0] ?? 0;
  if (packet.length < 12 || first >> 6 !== 2) return undefined;
  let size = 12 + (first & 0x0f) * 4;
  if (hasExtension(packet)) {
    if (size + 4 > packet.length) return undefined;
    size += 4 + packet.readUInt16BE(size + 2) * 4;
  }
  return size > packet.length ? undefined : size;
}
