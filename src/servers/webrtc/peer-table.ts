import { type IceRemote, localFragment } from '#protocols/ice/agent.ts';
import { parseStun, STUN, type StunMessage } from '#protocols/stun/message.ts';

/** A session as the ports know it. */
export interface MediaPeer {
  /** A STUN message for it; true when packets from there belong to it from now on. */
  check(message: StunMessage, from: IceRemote): boolean;
  /** Any other packet from an address that belongs to it. */
  receive(bytes: Buffer, from: IceRemote): void;
}

/** Addresses of one session: of each of its networks one, and some that changed. */
const MAX_ADDRESSES = 16;

/** Whose packets come from where: sessions are told apart by their ICE fragment, then by their address. */
export class PeerTable {
  /** Packets that belong to nobody. */
  unknown = 0;
  readonly #fragments = new Map<string, MediaPeer>();
  readonly #addresses = new Map<string, MediaPeer>();
  /** What each has of both, so that nobody's coming and going costs more the more others there are. */
  readonly #owned = new Map<MediaPeer, { fragment: string; readonly addresses: Set<string> }>();

  /** Checks for `fragment` go to the peer, and those for its former one to nobody: ICE began anew. */
  register(fragment: string, peer: MediaPeer): void {
    const owned = this.#owned.get(peer);
    if (owned) this.#fragments.delete(owned.fragment);
    this.#owned.set(peer, { fragment, addresses: owned?.addresses ?? new Set() });
    this.#fragments.set(fragment, peer);
  }

  /** Nothing goes to the peer any more. */
  unregister(peer: MediaPeer): void {
    const owned = this.#owned.get(peer);
    if (!owned) return;
    this.#owned.delete(peer);
    this.#fragments.delete(owned.fragment);
    for (const key of owned.addresses) this.#addresses.delete(key);
  }

  /** Fragments and addresses that are known. */
  get size(): number {
    return this.#fragments.size + this.#addresses.size;
  }

  /** A packet that came. False when it belongs to nobody, or is a check that is not valid. */
  receive(bytes: Buffer, from: IceRemote): boolean {
    // The first byte tells what it is (RFC 7983).
    if ((bytes[0] ?? 0) < 4) return this.#check(bytes, from);
    const peer = this.#addresses.get(keyOf(from));
    if (peer) peer.receive(bytes, from);
    else this.unknown++;
    return peer !== undefined;
  }

  /** Whether packets from there belong to a session. */
  knows(from: IceRemote): boolean {
    return this.#addresses.has(keyOf(from));
  }

  /** Nothing comes from there any more. */
  forget(from: IceRemote): void {
    this.#release(keyOf(from));
  }

  #release(key: string): void {
    const peer = this.#addresses.get(key);
    if (!peer) return;
    this.#addresses.delete(key);
    this.#owned.get(peer)?.addresses.delete(key);
  }

  #check(bytes: Buffer, from: IceRemote): boolean {
    const message = parseStun(bytes);
    const username = message?.attributes.get(STUN.username)?.toString('utf8');
    const peer = username === undefined ? undefined : this.#fragments.get(localFragment(username));
    if (!message || !peer) {
      this.unknown++;
      return false;
    }
    if (!peer.check(message, from)) return false;
    const key = keyOf(from);
    if (this.#addresses.get(key) === peer) return true;
    const addresses = this.#owned.get(peer)?.addresses;
    // Ended by its check.
    if (!addresses) return false;
    // A port that another session had before.
    this.#release(key);
    const [oldest] = addresses;
    if (addresses.size >= MAX_ADDRESSES && oldest !== undefined) this.#release(oldest);
    addresses.add(key);
    this.#addresses.set(key, peer);
    return true;
  }
}

/** Names a transport address. */
export function keyOf({ protocol, address, port }: IceRemote): string {
  return `${protocol}|${address}|${port}`;
}
