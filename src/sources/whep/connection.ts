import { parseWebRtcAddress } from '#clients/webrtc/address.ts';
import { ClientPeer } from '#clients/webrtc/client-peer.ts';
import { HttpSession } from '#clients/webrtc/http-session.ts';
import { withOuterCandidates } from '#clients/webrtc/outer-candidates.ts';
import { answeredTracks, buildClientOffer, receivingSections } from '#protocols/sdp/webrtc-client-offer.ts';
import { parseWebRtcAnswer } from '#protocols/sdp/webrtc-offer.ts';
import type { ReceivedTrack } from '#protocols/sdp/webrtc-receive.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import type { ServerTrust } from '#util/server-trust.ts';

export interface WhepHandlers {
  /** The server has said what it will send; packets come after that. */
  readonly onTracks: (tracks: readonly ReceivedTrack[]) => void;
  readonly onRtp: (packet: Buffer) => void;
  readonly onRtcp: (packet: Buffer) => void;
  /** Called once when it is over, and not after `close`. */
  readonly onFailed: (error: NamedError) => void;
}

export interface WhepConnectionOptions {
  /** With credentials where they are needed. */
  readonly url: string;
  readonly trust: ServerTrust;
  /** It may not lead to this machine, its cable or its cloud: neither the server nor its media. */
  readonly restricted?: boolean | undefined;
  readonly clock: Clock;
}

/** One session with a WHEP server: asked for over HTTP, media over UDP. */
export class WhepConnection {
  readonly #options: WhepConnectionOptions;
  readonly #handlers: WhepHandlers;
  readonly #abort = new AbortController();
  #peer: ClientPeer | undefined;
  #session: HttpSession | undefined;
  readonly #opening: Promise<void>;
  #over = false;

  /** Begins at once. */
  constructor(options: WhepConnectionOptions, handlers: WhepHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#opening = this.#open().catch((error: unknown) => {
      if (error instanceof NamedError) this.#fail(error);
      else this.#fail(new NamedError('INTERNAL_ERROR', String(error), 500, { cause: error }));
    });
  }

  /** Sends a compound RTCP packet. */
  sendRtcp(packet: Buffer): void {
    this.#peer?.sendRtcp(packet);
  }

  /** Resolves when nothing of it is left. Idempotent. */
  async close(): Promise<void> {
    this.#over = true;
    this.#abort.abort();
    await this.#opening;
    await Promise.all([this.#session?.close(), this.#peer?.close()]);
  }

  async #open(): Promise<void> {
    const { url, trust, restricted, clock } = this.#options;
    const target = parseWebRtcAddress(url, 'whep');
    const peer = await ClientPeer.open(clock);
    this.#peer = peer;
    if (this.#over) return;
    const { ice, fingerprint, candidates } = peer;
    const offer = buildClientOffer(receivingSections(), { ice, fingerprint, candidates });
    this.#session = await HttpSession.open(target, offer, {
      trust,
      guarded: restricted ? target.shown : undefined,
      signal: this.#abort.signal,
    });
    if (this.#over) return;
    const said = parseWebRtcAnswer(this.#session.answer);
    const answer = restricted ? withOuterCandidates(said) : said;
    const tracks = answeredTracks(answer);
    if (tracks.length === 0) {
      const sentence = `${target.shown} sends nothing in a codec that can be taken.`;
      throw new NamedError('CODEC_UNSUPPORTED', sentence, 415);
    }
    const { onTracks, onRtp, onRtcp } = this.#handlers;
    onTracks(tracks);
    await peer.connect(answer, {
      onOpen: () => {},
      onRtp,
      onRtcp,
      onClose: (reason) => this.#fail(new NamedError('WEBRTC_CLOSED', `${target.shown}: ${reason}`, 502)),
    });
  }

  #fail(error: NamedError): void {
    if (this.#over) return;
    this.#over = true;
    this.#handlers.onFailed(error);
  }
}
