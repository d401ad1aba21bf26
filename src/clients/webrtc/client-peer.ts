import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type DtlsIdentity, makeIdentity } from '#protocols/dtls/endpoint.ts';
import type { IceCredentials, IceRemote } from '#protocols/ice/agent.ts';
import type { IceCandidate } from '#protocols/ice/candidate.ts';
import { ControllingAgent } from '#protocols/ice/controlling-agent.ts';
import type { WebRtcAnswer } from '#protocols/sdp/webrtc-offer.ts';
import { parseStun } from '#protocols/stun/message.ts';
import { PeerTransport } from '#protocols/webrtc/peer-transport.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';

const RECEIVE_BUFFER = 4 << 20;
/** Bytes that may wait for the kernel before senders hold back. */
const SEND_QUEUE = 1 << 20;
/** From the answer to the keys. */
const CONNECT_MS = 15_000;

export interface ClientPeerHandlers {
  /** The keys are there. */
  readonly onOpen: () => void;
  /** An RTP packet in clear, where any are expected. */
  readonly onRtp?: (packet: Buffer) => void;
  /** A compound RTCP packet in clear. */
  readonly onRtcp: (packet: Buffer) => void;
  /** Called once when the connection is over, and not after `close`. */
  readonly onClose: (reason: string) => void;
}

/** Our certificate as a client, made at the first use. */
let identity: Promise<DtlsIdentity> | undefined;

/** The connection of a session that we began: a socket of its own, ICE as the controlling side, DTLS, SRTP. */
export class ClientPeer {
  readonly ice: IceCredentials = {
    ufrag: randomBytes(6).toString('hex'),
    password: randomBytes(18).toString('hex'),
  };
  readonly #clock: Clock;
  readonly #identity: DtlsIdentity;
  /** For IPv4, and for IPv6 where there is any. */
  readonly #sockets: readonly [Socket, Socket?];
  #agent: ControllingAgent | undefined;
  #transport: PeerTransport | undefined;
  #handlers: ClientPeerHandlers | undefined;
  #cancelConnect: () => void = () => {};
  #closing: Promise<void> | undefined;

  private constructor(clock: Clock, own: DtlsIdentity, sockets: readonly [Socket, Socket?]) {
    this.#clock = clock;
    this.#identity = own;
    this.#sockets = sockets;
    for (const socket of this.#open) {
      socket.setRecvBufferSize(RECEIVE_BUFFER);
      socket.on('message', (bytes, { address, port }) =>
        this.#receive(bytes, { address, port, protocol: 'udp' }),
      );
      // What the network says about single packets; missing answers say the rest.
      socket.on('error', () => {});
    }
  }

  /** Opens sockets, so that an offer can name them. */
  static async open(clock: Clock): Promise<ClientPeer> {
    const own = await (identity ??= makeIdentity());
    const ipv4 = await bound('udp4');
    // Not every machine has IPv6.
    const ipv6 = await bound('udp6').catch(() => undefined);
    return new ClientPeer(clock, own, ipv6 ? [ipv4, ipv6] : [ipv4]);
  }

  /** SHA-256 of our certificate, in hex pairs with colons. */
  get fingerprint(): string {
    return this.#identity.fingerprint;
  }

  /** Our addresses, where the other side may look for us. */
  get candidates(): IceCandidate[] {
    const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    return this.#open.flatMap((socket) => {
      const { family, port } = socket.address();
      return own
        .filter((one) => one.family === family && !one.internal && !/^fe80:/i.test(one.address))
        .map(({ address }) => ({ address, port, protocol: 'udp' as const }));
    });
  }

  /** More waits for the kernel than it takes soon. */
  get isBlocked(): boolean {
    return this.#closing === undefined && this.#open.some((socket) => socket.getSendQueueSize() > SEND_QUEUE);
  }

  /**
   * Connects as the answer says.
   * @throws NamedError WEBRTC_NO_CANDIDATE
   */
  async connect(answer: WebRtcAnswer, handlers: ClientPeerHandlers): Promise<void> {
    const candidates = answer.candidates.filter(({ protocol }) => protocol === 'udp');
    if (candidates.length === 0) {
      throw new NamedError(
        'WEBRTC_NO_CANDIDATE',
        'The answer of the server names no IP address over UDP to connect to ("a=candidate").',
        502,
      );
    }
    this.#handlers = handlers;
    const transport = await PeerTransport.open({
      identity: this.#identity,
      role: answer.isPassive ? 'client' : 'server',
      fingerprint: answer.fingerprint,
      send: (bytes) => {
        const to = this.#agent?.selected;
        if (to) this.#send(bytes, to);
      },
      onOpen: () => {
        this.#cancelConnect();
        handlers.onOpen();
      },
      ...(handlers.onRtp && { onRtp: handlers.onRtp }),
      onRtcp: handlers.onRtcp,
      onClose: (reason) => this.#end(reason),
    });
    if (this.#closing) return transport.close();
    this.#transport = transport;
    this.#cancelConnect = this.#clock.after(CONNECT_MS, () =>
      this.#end(`The server did not agree on keys within ${CONNECT_MS / 1000} s.`),
    );
    this.#agent = new ControllingAgent({
      clock: this.#clock,
      local: this.ice,
      remote: answer.ice,
      candidates,
      send: (bytes, to) => this.#send(bytes, to),
      onSelected: () => transport.begin(),
      onFailed: (reason) => this.#end(reason),
    });
  }

  /** Sends an RTP packet under the payload type that was agreed on; the packet may be shared. */
  sendRtp(packet: Buffer, payloadType: number): void {
    this.#transport?.sendRtp(packet, payloadType);
  }

  /** Sends a compound RTCP packet. */
  sendRtcp(packet: Buffer): void {
    this.#transport?.sendRtcp(packet);
  }

  /** Resolves when the sockets are closed. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#cancelConnect();
      this.#agent?.close();
      this.#transport?.close();
      await Promise.all(
        this.#open.map(async (socket) => {
          const closed = once(socket, 'close');
          socket.close();
          await closed;
        }),
      );
    })();
    return this.#closing;
  }

  get #open(): Socket[] {
    return this.#sockets.filter((socket) => socket !== undefined);
  }

  #receive(bytes: Buffer, from: IceRemote): void {
    if (this.#closing) return;
    if ((bytes[0] ?? 0) < 4) {
      const message = parseStun(bytes);
      if (message) this.#agent?.receive(message, from);
      return;
    }
    // SRTP and DTLS know by themselves who sent something.
    this.#transport?.receive(bytes);
  }

  #send(bytes: Buffer, { address, port }: IceRemote): void {
    if (this.#closing) return;
    const [ipv4, ipv6] = this.#sockets;
    const socket = isIPv6(address) ? ipv6 : ipv4;
    socket?.send(bytes, port, address, () => {});
  }

  #end(reason: string): void {
    if (this.#closing) return;
    void this.close();
    this.#handlers?.onClose(reason);
  }
}

async function bound(type: 'udp4' | 'udp6'): Promise<Socket> {
  const family = type === 'udp6' ? 6 : 4;
  // Destinations are addresses always; asking the resolver costs 2 µs for each packet.
  const socket = createSocket({
    type,
    ipv6Only: type === 'udp6',
    lookup: (name, _, callback) => callback(null, name, family),
  });
  // As the address is looked up at once, it listens before `bind` returns.
  const listening = once(socket, 'listening');
  socket.bind({ port: 0 });
  try {
    await listening;
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}
