import { DtlsEndpoint, type DtlsIdentity, type DtlsRole } from '../dtls/endpoint.ts';
import { isRtcp } from '../rtp/packet.ts';
import { type RtpDress, SrtpReceiver, SrtpSender } from '../srtp/srtp.ts';

export interface PeerTransportOptions {
  readonly identity: DtlsIdentity;
  /** Of our side of DTLS. */
  readonly role: DtlsRole;
  /** SHA-256 of the other side's certificate, as its description has it, in lower case hex without colons. */
  readonly fingerprint: string;
  /** Sends a datagram to where ICE has found the other side. */
  readonly send: (bytes: Buffer) => void;
  /** The keys are there: media can be sent, and come. */
  readonly onOpen: () => void;
  /** An RTP packet in clear; the bytes belong to who is called. Absent: what comes is let go by. */
  readonly onRtp?: (packet: Buffer) => void;
  /** A compound RTCP packet in clear. */
  readonly onRtcp: (packet: Buffer) => void;
  /** A packet of SCTP, where data channels were agreed on (RFC 8261). */
  readonly onData?: (packet: Buffer) => void;
  /** Called once, when the other side ended it or the handshake failed; not after `close`. */
  readonly onClose: (reason: string) => void;
}

/**
 * What stands between ICE and the media of one WebRTC connection, whichever way the media go: DTLS, and SRTP with its
 * keys. Bytes in, bytes out.
 */
export class PeerTransport {
  readonly #options: PeerTransportOptions;
  #dtls: DtlsEndpoint | undefined;
  #sender: SrtpSender | undefined;
  #receiver: SrtpReceiver | undefined;
  #closed = false;

  private constructor(options: PeerTransportOptions) {
    this.#options = options;
  }

  static async open(options: PeerTransportOptions): Promise<PeerTransport> {
    const transport = new PeerTransport(options);
    const { identity, role, fingerprint, send } = options;
    transport.#dtls = await DtlsEndpoint.open({
      identity,
      role,
      fingerprint,
      send,
      ...(options.onData && { onData: options.onData }),
      onKeys: (local, remote) => {
        if (transport.#closed) return;
        transport.#sender = new SrtpSender(local);
        transport.#receiver = new SrtpReceiver(remote);
        options.onOpen();
      },
      onClose: (reason) => {
        if (!transport.#closed) options.onClose(reason);
      },
    });
    return transport;
  }

  /** True from the moment the keys are there. */
  get isOpen(): boolean {
    return this.#sender !== undefined;
  }

  /** ICE has found a way; the client of DTLS begins its handshake. Idempotent. */
  begin(): void {
    this.#dtls?.begin();
  }

  /** A datagram that is no STUN message (RFC 7983 tells them apart by their first byte). */
  receive(bytes: Buffer): void {
    if (this.#closed) return;
    const first = bytes[0] ?? 0;
    if (first >= 20 && first <= 63) return this.#dtls?.receive(bytes);
    if (first < 128 || first > 191) return;
    if (isRtcp(bytes)) {
      const opened = this.#receiver?.rtcp(bytes);
      if (opened) this.#options.onRtcp(opened);
    } else if (this.#options.onRtp) {
      const opened = this.#receiver?.rtp(bytes);
      if (opened) this.#options.onRtp(opened);
    }
  }

  /**
   * Sends an RTP packet under a payload type of this connection, and as another source's or with an extension where that
   * is said; the packet is not changed, and may be shared.
   */
  sendRtp(packet: Buffer, payloadType: number, as?: RtpDress): void {
    if (this.#sender && !this.#closed) this.#options.send(this.#sender.rtp(packet, payloadType, as));
  }

  /** Sends a packet of SCTP. */
  sendData(packet: Buffer): void {
    if (this.#sender && !this.#closed) this.#dtls?.sendData(packet);
  }

  /** Sends a compound RTCP packet. */
  sendRtcp(packet: Buffer): void {
    if (this.#sender && !this.#closed) this.#options.send(this.#sender.rtcp(packet));
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#dtls?.close();
  }
}
