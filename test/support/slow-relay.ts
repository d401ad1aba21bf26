import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** The address of a server, RTSP or RTMP, by which what is published comes later than it was sent. */
export interface SlowRelay extends AsyncDisposable {
  readonly port: number;
  /** From a publisher to the server, from its next RECORD or `publish` on, ms. */
  delayMs: number;
  /** Cuts all connections off, as if the publisher had been killed; what is on its way is lost. */
  cut(): void;
  /** How many connections there were. */
  readonly connections: number;
}

/** The request after which media are sent, of RTSP and of RTMP. */
const REQUESTS = [Buffer.from('RECORD rtsp:'), Buffer.from('\x00\x07publish')];

/** Starts a relay to a server on this machine. The conversation before the media is not delayed. */
export async function slowRelay(serverPort: number, delayMs: number): Promise<SlowRelay> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    connections++;
    const upstream = connect(serverPort, '127.0.0.1');
    const timers = new Set<NodeJS.Timeout>();
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        for (const timer of timers) clearTimeout(timer);
        client.destroy();
        upstream.destroy();
      });
    }
    let delay = 0;
    client.on('data', (bytes) => {
      if (delay === 0) upstream.write(bytes);
      else {
        const timer = setTimeout(() => {
          timers.delete(timer);
          upstream.write(bytes);
        }, delay);
        timers.add(timer);
      }
      if (delay === 0 && REQUESTS.some((request) => bytes.includes(request))) delay = relay.delayMs;
    });
    upstream.on('data', (bytes) => client.write(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const relay: SlowRelay = {
    port: (server.address() as AddressInfo).port,
    delayMs,
    cut,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
  return relay;
}
