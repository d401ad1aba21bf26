import { randomBytes } from 'node:crypto';
import type { DtlsIdentity } from '#protocols/dtls/endpoint.ts';
import type { IceCredentials, IceRemote } from '#protocols/ice/agent.ts';
import { IceLiteAgent } from '#protocols/ice/lite-agent.ts';
import type { RtpDress } from '#protocols/srtp/srtp.ts';
import type { StunMessage } from '#protocols/stun/message.ts';
import { PeerTransport } from '#protocols/webrtc/peer-transport.ts';
import type { Clock } from '#util/clock.ts';
import type { MediaDoor } from './media-door.ts';
import type { MediaPeer } from './peer-table.ts';

/** From the answer to the keys; a browser that may not send to the port never gets there. */
const CONNECT_MS = 20_000;
const WATCH_MS = 2000;

export interface ServerPeerOptions {
  readonly id: string;
  readonly identity: DtlsIdentity;
  /** SHA-256 of the other side's certificate. */
  readonly fingerprint: string;
  readonly door: MediaDoor;
  readonly clock: Clock;
  /** The keys are there. */
  readonly onOpen: () => void;
  /** An RTP packet in clear, where any are expected. */
  readonly onRtp?: (packet: Buffer) => void;
  /** A compound RTCP packet in clear. */
  readonly onRtcp: (packet: Buffer) => void;
  /** A packet of SCTP, where data channels were agreed on. */
  readonly onData?: (packet: Buffer) => void;
  /** Called once when the connection is over, and not after `close`. */
  readonly onClose: (reason: string) => void;
}

/** The connection of a session that came to us: ICE lite on the port of all, DTLS as server, SRTP. */
export class ServerPeer implements MediaPeer {
  readonly #options: ServerPeerOptions;
  readonly #agent: IceLiteAgent;
  readonly #since: number;
  #transport: PeerTransport | undefined;
  #cancelWatch: () => void;
  #restarts = 0;
  #closed = false;

  private constructor(options: ServerPeerOptions) {
    this.#options = options;
    this.#since = options.clock.now();
    this.#agent = new IceLiteAgent(newCredentials(), this.#since);
    this.#cancelWatch = options.clock.after(WATCH_MS, () => this.#watch());
  }

  static async open(options: ServerPeerOptions): Promise<ServerPeer> {
    const peer = new ServerPeer(options);
    const { identity, fingerprint, onOpen, onRtp, onRtcp, onData } = options;
    peer.#transport = await PeerTransport.open({
      identity,
      role: 'server',
      fingerprint,
      send: (bytes) => peer.#sendTo(bytes),
      onOpen,
      ...(onRtp && { onRtp }),
      ...(onData && { onData }),
      onRtcp,
      onClose: (reason) => peer.#end(reason),
    });
    options.door.register(peer.ice.ufrag, peer);
    return peer;
  }

  get ice(): IceCredentials {
    return this.#agent.local;
  }

  /** Names this state of ICE (RFC 9725 section 4.3.1). */
  get etag(): string {
    return `"${this.#options.id}-${this.#restarts}"`;
  }

  get door(): MediaDoor {
    return this.#options.door;
  }

  /** More waits on the way to the other side than goes out soon. */
  get isBlocked(): boolean {
    const { selected } = this.#agent;
    return selected !== undefined && this.door.isFull(selected);
  }

  /** New credentials, for who comes from another network now. */
  restartIce(): void {
    this.#restarts++;
    this.#agent.restart(newCredentials(), this.#options.clock.now());
    this.door.register(this.ice.ufrag, this);
  }

  check(message: StunMessage, from: IceRemote): boolean {
    const outcome = this.#agent.receive(message, from, this.#options.clock.now());
    if (!outcome) return false;
    this.door.send(outcome.answer, from);
    return outcome.valid;
  }

  receive(bytes: Buffer): void {
    this.#transport?.receive(bytes);
  }

  /** Sends an RTP packet under the payload type, source and number that were agreed on; the packet may be shared. */
  sendRtp(packet: Buffer, payloadType: number, as?: RtpDress): void {
    this.#transport?.sendRtp(packet, payloadType, as);
  }

  /** Sends a packet of SCTP. */
  sendData(packet: Buffer): void {
    this.#transport?.sendData(packet);
  }

  /** Sends a compound RTCP packet. */
  sendRtcp(packet: Buffer): void {
    this.#transport?.sendRtcp(packet);
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    // Before anything else: what it has to say at its end still goes out.
    this.#transport?.close();
    this.#closed = true;
    this.#cancelWatch();
    this.door.unregister(this);
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.close();
    this.#options.onClose(reason);
  }

  #watch(): void {
    const now = this.#options.clock.now();
    if (!this.#agent.hasConsent(now)) return this.#end('The other side has not been heard of for 30 s.');
    this.#agent.expire(now);
    if (this.#transport?.isOpen !== true && now - this.#since > CONNECT_MS) {
      return this.#end(
        `The other side did not connect within ${CONNECT_MS / 1000} s: is port ${this.door.port} (UDP or TCP) open to it?`,
      );
    }
    this.#cancelWatch = this.#options.clock.after(WATCH_MS, () => this.#watch());
  }

  #sendTo(bytes: Buffer): void {
    const { selected } = this.#agent;
    if (selected && !this.#closed) this.door.send(bytes, selected);
  }
}

/** RFC 8839 section 5.4 asks for 24 bits in the fragment and 128 in the password at least. */
function newCredentials(): IceCredentials {
  return { ufrag: randomBytes(6).toString('hex'), password: randomBytes(18).toString('hex') };
}
