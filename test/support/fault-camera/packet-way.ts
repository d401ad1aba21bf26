import type { CameraEvent } from './camera.ts';
import type { CameraTrack, PacketFaults } from './options.ts';
import type { Random } from './random.ts';

type Packet = Extract<CameraEvent, { kind: 'rtp' | 'rtcp' }>;

/** What happens to packets between camera and server; gives them in the order of their arrival. */
export class PacketWay {
  readonly #faults: PacketFaults;
  readonly #random: Random;
  /** Sorted by arrival; of equal ones, the first sent is first. */
  readonly #travelling: Packet[] = [];
  #losing = 0;
  /** By track unless there is one way, as sound may be slower than the picture: packets do not overtake each other. */
  readonly #latest = new Map<number, number>();

  constructor(faults: PacketFaults, random: Random) {
    this.#faults = faults;
    this.#random = random;
  }

  /** A packet sets out at its `at`. */
  send(packet: Packet, track: CameraTrack): void {
    const { loss = 0, burst = 1, reorder = 0, reorderMs = 20, duplicate = 0, truncate = 0 } = this.#faults;
    if (this.#losing === 0 && this.#chance(loss)) this.#losing = burst;
    if (this.#losing > 0) {
      this.#losing--;
      return;
    }
    let bytes = packet.bytes;
    if (this.#chance(truncate))
      bytes = bytes.subarray(0, 1 + Math.floor(this.#random() * (bytes.length - 1)));
    const { replayMs = 0 } = this.#faults;
    if (track === 'audio' && packet.at < replayMs) return;
    const sent = { ...packet, bytes, at: this.#arrival(packet, track) };
    this.#insert(this.#chance(reorder) ? { ...sent, at: sent.at + reorderMs } : sent);
    if (this.#chance(duplicate)) this.#insert(sent);
  }

  /** A report sets out; it is neither lost nor late beyond what its `at` says. */
  sendReport(packet: Packet, track: CameraTrack): void {
    this.#insert({ ...packet, at: this.#arrival(packet, track) });
  }

  /** The first packet that arrives not later than `ms`. */
  take(ms: number): Packet | undefined {
    const first = this.#travelling[0];
    return first && first.at <= ms ? this.#travelling.shift() : undefined;
  }

  #chance(probability: number): boolean {
    return probability > 0 && this.#random() < probability;
  }

  #arrival(packet: Packet, track: CameraTrack): number {
    const { delayMs = 0, audioDelayMs = 0, videoDelayMs = 0, jitterMs = 0, replayMs = 0 } = this.#faults;
    const { keyframeMs = 0, oneWay = false } = this.#faults;
    const jitter = jitterMs > 0 ? this.#random() * jitterMs : 0;
    const size = packet.unit?.keyframe && track === 'video' ? keyframeMs : 0;
    const delay = delayMs + (track === 'audio' ? audioDelayMs : videoDelayMs + size);
    const own = Math.max(packet.at, replayMs) + delay + jitter;
    if (packet.kind === 'rtcp' && !oneWay) return own;
    const way = oneWay ? 0 : packet.track;
    const at = Math.max(own, this.#latest.get(way) ?? own);
    this.#latest.set(way, at);
    return at;
  }

  #insert(packet: Packet): void {
    let at = this.#travelling.length;
    while (at > 0 && (this.#travelling[at - 1]?.at ?? 0) > packet.at) at--;
    this.#travelling.splice(at, 0, packet);
  }
}
