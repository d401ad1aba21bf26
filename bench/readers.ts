/**
 * A child process that reads one stream many times: `node bench/readers.ts rtsp|mse <url> <count>`. It speaks just
 * enough of the protocol, throws the media away, and writes one JSON line a second to its standard output:
 * `{ readers, bytes, smallest }` with bytes since the line before, in all and of the reader that got the fewest.
 */
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';

const [kind, address, countText] = process.argv.slice(2);
const count = Number(countText);
const bytes = Array.from({ length: count }, () => 0);
let ready = 0;

function readRtsp(index: number): void {
  const url = new URL(address!);
  const socket = connect(Number(url.port), url.hostname);
  const send = (method: string, target: string, headers: string) =>
    socket.write(`${method} ${target} RTSP/1.0\r\nCSeq: ${++sequence}\r\n${headers}\r\n`);
  let sequence = 0;
  let controls: string[] = [];
  let session = '';
  const setUp = (n: number) =>
    send(
      'SETUP',
      controls[n]!,
      `Transport: RTP/AVP/TCP;unicast;interleaved=${2 * n}-${2 * n + 1}\r\n${session}`,
    );
  let answered = 0;
  const onText = (chunk: Buffer) => {
    const text = chunk.toString('latin1');
    if (!text.startsWith('RTSP/1.0 200')) throw new Error(text.slice(0, 200));
    answered++;
    if (answered === 1) {
      const base = /^Content-Base: *(\S+)/im.exec(text)?.[1] ?? `${address}/`;
      const names = [...text.matchAll(/^a=control:(\S+)/gm)]
        .map((match) => match[1]!)
        .filter((name) => name !== '*');
      controls = names.map((name) => (name.startsWith('rtsp:') ? name : base + name));
      return setUp(0);
    }
    session ||= `Session: ${/^Session: *([^;\s]+)/im.exec(text)![1]}\r\n`;
    if (answered <= controls.length) return setUp(answered - 1);
    if (answered === controls.length + 1) {
      send('PLAY', address!, session);
      socket.off('data', onText);
      socket.on('data', (media) => {
        bytes[index]! += media.length;
      });
      ready++;
    }
    return undefined;
  };
  socket.on('data', onText);
  keep(socket);
  send('DESCRIBE', address!, 'Accept: application/sdp\r\n');
}

function readMse(index: number): void {
  const socket = new WebSocket(address!, { perMessageDeflate: false, skipUTF8Validation: true });
  socket.on('open', () => ready++);
  socket.on('message', (data: Buffer) => {
    bytes[index]! += data.length;
  });
  socket.on('error', (error) => {
    throw error;
  });
}

function keep(socket: Socket): void {
  socket.on('error', (error) => {
    throw error;
  });
}

const read = kind === 'rtsp' ? readRtsp : readMse;
for (let index = 0; index < count; index++) setTimeout(() => read(index), index * 2);
setInterval(() => {
  const sum = bytes.reduce((a, b) => a + b, 0);
  process.stdout.write(`${JSON.stringify({ readers: ready, bytes: sum, smallest: Math.min(...bytes) })}\n`);
  bytes.fill(0);
}, 1000);
process.on('disconnect', () => process.exit());
