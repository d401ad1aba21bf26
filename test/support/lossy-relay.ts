import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** How the relay treats RTP packets, each in its turn; RTCP is let through. It may change meanwhile. */
export interface Weather {
  /** Share of the packets that are lost; 1 is a firewall, through which no RTCP comes either. */
  readonly loss: number;
  /** Share of the packets that are overtaken by the next one to three. */
  readonly reorder: number;
  /** The same seed does the same to the same packets. */
  readonly seed: number;
}

const LOCAL = '127.0.0.1';
/** A packet that nothing overtakes goes on after so many ms. */
const PATIENCE_MS = 20;

/**
 * An RTSP server's address that leads to another server's: what is said goes through unchanged but for the UDP ports,
 * so that the media go through the relay as well, where packets are lost and change places.
 */
export interface LossyRelay extends AsyncDisposable {
  readonly port: number;
  /** RTP packets in both directions: what came, what was lost, what was overtaken. */
  readonly counters: { packets: number; lost: number; reordered: number };
}

/** Starts a relay to a server on this machine. */
export async function lossyRelay(serverPort: number, weather: Weather): Promise<LossyRelay> {
  const counters = { packets: 0, lost: 0, reordered: 0 };
  /** Each way has weather of its own, so that how their packets mix makes no difference. */
  let ways = 0;
  const open = new Set<UdpSocket>();
  const sockets = new Set<Socket>();

  /** The ways of one track, RTP and RTCP: what comes to `near` goes out of `far`, and the other way round. */
  async function track(clientPorts: readonly [number, number]) {
    const [near, far] = [await boundPair(), await boundPair()];
    const serverPorts: [number, number] = [0, 0];
    for (const i of [0, 1] as const) {
      open.add(near[i]).add(far[i]);
      const out =
        i === 0
          ? () => rough(weather, generator(weather.seed + ways++), counters)
          : () => (send: () => void) => send();
      const [toServer, toClient] = [out(), out()];
      near[i].on('message', (bytes) => toServer(() => send(far[i], bytes, serverPorts[i])));
      far[i].on('message', (bytes) => toClient(() => send(near[i], bytes, clientPorts[i])));
    }
    const ports = (pair: readonly UdpSocket[]) => pair.map((socket) => socket.address().port).join('-');
    return { serverPorts, near: ports(near), far: ports(far) };
  }

  const server = createServer((client) => {
    const upstream = connect(serverPort, LOCAL);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    let newest: Awaited<ReturnType<typeof track>> | undefined;
    let asked = '';
    // Each message is written at once, and none arrives in pieces on this machine. One at a time is under way.
    client.on('data', async (bytes) => {
      const match = /client_port=(\d+)-(\d+)/.exec(bytes.toString('latin1'));
      if (!match) return void upstream.write(bytes);
      asked = match[0];
      newest = await track([Number(match[1]), Number(match[2])]);
      upstream.write(bytes.toString('latin1').replace(asked, `client_port=${newest.far}`), 'latin1');
    });
    upstream.on('data', (bytes) => {
      const match = /server_port=(\d+)-(\d+)/.exec(bytes.toString('latin1'));
      if (!match || !newest) return void client.write(bytes);
      newest.serverPorts.splice(0, 2, Number(match[1]), Number(match[2]));
      const text = bytes.toString('latin1').replace(match[0], `server_port=${newest.near}`);
      client.write(text.replace(/client_port=\d+-\d+/, asked), 'latin1');
    });
  });
  server.listen(0, LOCAL);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    counters,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      for (const socket of open) socket.close();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Starts a relay to a UDP port on this machine where RTP, RTCP and other datagrams share a port, as those of WebRTC do. */
export async function lossyUdpRelay(serverPort: number, weather: Weather): Promise<LossyRelay> {
  const counters = { packets: 0, lost: 0, reordered: 0 };
  const near = await bound(0);
  /** Our sockets towards the server, by client. */
  const far = new Map<number, Promise<{ toServer: (bytes: Buffer) => void; socket: UdpSocket }>>();
  const direction = (send: (bytes: Buffer) => void) => {
    const way = rough(weather, generator(weather.seed + far.size), counters);
    return (bytes: Buffer) => (isMedia(bytes) ? way(() => send(bytes)) : send(bytes));
  };
  const client = async (port: number) => {
    const socket = await bound(0);
    const toClient = direction((bytes) => send(near, bytes, port));
    socket.on('message', toClient);
    return { socket, toServer: direction((bytes) => send(socket, bytes, serverPort)) };
  };
  near.on('message', async (bytes, { port }) => {
    if (!far.has(port)) far.set(port, client(port));
    (await far.get(port))?.toServer(bytes);
  });
  return {
    port: near.address().port,
    counters,
    async [Symbol.asyncDispose]() {
      near.close();
      for (const one of far.values()) (await one).socket.close();
    },
  };
}

/** RTP, by its first two bytes (RFC 7983, RFC 5761). */
function isMedia(bytes: Buffer): boolean {
  const [first = 0, second = 0] = bytes;
  return first >= 128 && first <= 191 && !(second >= 192 && second <= 223);
}

/** What was held back may outlive its socket. */
function send(socket: UdpSocket, bytes: Buffer, port: number): void {
  try {
    socket.send(bytes, port, LOCAL);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SOCKET_DGRAM_NOT_RUNNING') throw error;
  }
}

/** One direction of rough weather: takes what would send a packet, and calls it at once, later or never. */
function rough(weather: Weather, random: () => number, counters: LossyRelay['counters']) {
  let held: { send: () => void; overtakenBy: number; timer: NodeJS.Timeout } | undefined;
  const release = () => {
    if (!held) return;
    clearTimeout(held.timer);
    held.send();
    held = undefined;
  };
  return (send: () => void) => {
    counters.packets++;
    const [fate, distance] = [random(), random()];
    const { loss, reorder } = weather;
    if (fate < loss) {
      counters.lost++;
      return;
    }
    if (fate < loss + reorder && !held) {
      counters.reordered++;
      held = { send, overtakenBy: 1 + Math.floor(distance * 3), timer: setTimeout(release, PATIENCE_MS) };
      return;
    }
    send();
    if (held && --held.overtakenBy <= 0) release();
  };
}

/** Neighbouring ports, the first even: many clients take it for granted that RTCP is one above RTP. */
async function boundPair(): Promise<[UdpSocket, UdpSocket]> {
  for (;;) {
    const first = await bound(0);
    const { port } = first.address();
    const second = port % 2 === 0 ? await bound(port + 1).catch(() => undefined) : undefined;
    if (second) return [first, second];
    first.close();
  }
}

async function bound(port: number): Promise<UdpSocket> {
  const socket = createSocket('udp4');
  socket.bind(port, LOCAL);
  await once(socket, 'listening');
  // Ports of a program that is gone answer with an ICMP message.
  socket.on('error', () => {});
  return socket;
}

/** Numbers from 0 to 1 (xorshift32, Marsaglia 2003). */
function generator(seed: number): () => number {
  // Neighbouring seeds are spread first, since the generator tells them apart only after some numbers.
  let state = Math.imul(seed, 0x9e37_79b1) | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
