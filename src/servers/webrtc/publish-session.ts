import type { Hub } from '#hub/hub.ts';
import type { DtlsIdentity } from '#protocols/dtls/endpoint.ts';
import type { ReceivedTrack } from '#protocols/sdp/webrtc-receive.ts';
import type { MediaDoor } from './media-door.ts';
import { ServerPeer } from './server-peer.ts';
import { WebRtcPublishing } from './to-stream.ts';

export interface PublishSessionOptions {
  readonly id: string;
  /** Of its address. */
  readonly key: string;
  readonly hub: Hub;
  /** Checked name of the stream. */
  readonly name: string;
  readonly tracks: readonly ReceivedTrack[];
  readonly identity: DtlsIdentity;
  /** SHA-256 of the publisher's certificate. */
  readonly fingerprint: string;
  readonly door: MediaDoor;
  readonly remote: string;
  /** Called once, when the session is over for whatever reason. */
  readonly onEnd: (reason: string) => void;
}

/** One publisher: a connection, and what comes through it. */
export class PublishSession {
  readonly peer: ServerPeer;
  readonly #options: PublishSessionOptions;
  readonly #publishing: WebRtcPublishing;
  #closed = false;

  private constructor(options: PublishSessionOptions, peer: ServerPeer) {
    this.#options = options;
    this.peer = peer;
    const { id, hub, name, tracks, remote } = options;
    this.#publishing = new WebRtcPublishing({
      hub,
      name,
      tracks,
      publisher: { id, door: 'webrtc', remote },
      sendRtcp: (packet) => peer.sendRtcp(packet),
      onClose: (reason) => this.close(reason),
    });
  }

  static async open(options: PublishSessionOptions): Promise<PublishSession> {
    const peer: ServerPeer = await ServerPeer.open({
      ...options,
      clock: options.hub.options.clock,
      onOpen: () => {},
      onRtp: (packet) => session.#publishing.receiveRtp(packet),
      onRtcp: (packet) => session.#publishing.receiveRtcp(packet),
      onClose: (reason) => session.close(reason),
    });
    const session = new PublishSession(options, peer);
    return session;
  }

  get key(): string {
    return this.#options.key;
  }

  get streamName(): string {
    return this.#options.name;
  }

  /** Idempotent. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.peer.close();
    this.#publishing.close(reason);
    this.#options.onEnd(reason);
  }
}
