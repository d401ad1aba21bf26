/**
 * A child process that reads one stream many times: `node bench/readers.ts rtsp|mse|rtmp|flv|hls|webrtc <url> <count> <startedAt>`. It
 * speaks just enough of the protocol, throws the media away, and sends its parent a `Report` a second.
 *
 * The pictures come from a camera that numbers them (test/support/fault-camera) and takes picture n exactly 40 n ms
 * after `startedAt`, so the age of a picture at a reader is known to the precision of the camera's timer.
 */
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { ChunkReader } from '../src/protocols/rtmp/chunk-reader.ts';
import { commandMessage, MessageType } from '../src/protocols/rtmp/message.ts';
import { WhepConnection } from '../src/sources/whep/connection.ts';
import { systemClock } from '../src/util/clock.ts';
import { numberOf } from '../test/support/fault-camera/clip.ts';
import { readHls } from './hls-reader.ts';

export interface Report {
  /** Readers that get media. */
  readonly ready: number;
  /** Bytes since the last report, of all readers and of the one that got the fewest. */
  readonly bytes: number;
  readonly smallest: number;
  /** Age of pictures at some of the readers, ms, since the last report. */
  readonly ages: readonly number[];
  /** From connecting to the first keyframe, ms, of readers that began since the last report. */
  readonly firstKeyframes: readonly number[];
}

const PICTURE_MS = 40;
/** Readers whose pictures' ages are looked at; all would cost more than the reading itself. */
const SAMPLED = 20;

const [kind, address, countText, startedAtText] = process.argv.slice(2);
const count = Number(countText);
const startedAt = Number(startedAtText);
const bytes = Array.from({ length: count }, () => 0);
let ages: number[] = [];
let firstKeyframes: number[] = [];
let ready = 0;

const now = () => performance.timeOrigin + performance.now();

class Tally {
  readonly #index: number;
  readonly #begun = now();
  #started = false;

  constructor(index: number) {
    this.#index = index;
  }

  /** Its pictures' ages are looked at. */
  get isSampled(): boolean {
    return this.#index % Math.ceil(count / SAMPLED) === 0;
  }

  got(size: number): void {
    bytes[this.#index]! += size;
  }

  picture(tail: Buffer): void {
    if (!this.#started) {
      this.#started = true;
      ready++;
      firstKeyframes.push(now() - this.#begun);
    } else if (this.isSampled) {
      ages.push(now() - startedAt - numberOf(tail) * PICTURE_MS);
    }
  }
}

function readRtsp(index: number): void {
  const tally = new Tally(index);
  const url = new URL(address!);
  const socket = connect(Number(url.port), url.hostname);
  let sequence = 0;
  let controls: string[] = [];
  let session = '';
  let answered = 0;
  let media = false;
  let rest: Buffer = Buffer.alloc(0);
  const send = (method: string, target: string, headers: string) =>
    socket.write(`${method} ${target} RTSP/1.0\r\nCSeq: ${++sequence}\r\n${headers}\r\n`);
  const setUp = (n: number) =>
    send(
      'SETUP',
      controls[n]!,
      `Transport: RTP/AVP/TCP;unicast;interleaved=${2 * n}-${2 * n + 1}\r\n${session}`,
    );
  const answer = (text: string) => {
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
    if (answered === controls.length + 1) return send('PLAY', address!, session);
    return undefined;
  };
  /** Walks over interleaved packets; the last packet of a picture has the marker, and its number at the end. */
  const walk = (chunk: Buffer) => {
    const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    while (data.length - at >= 4 && data[at] === 0x24) {
      const size = data.readUInt16BE(at + 2);
      if (data.length - at < 4 + size) break;
      const packet = data.subarray(at + 4, at + 4 + size);
      if (data[at + 1] === 0 && (packet[1]! & 0x80) !== 0) tally.picture(packet);
      at += 4 + size;
    }
    rest = data.subarray(at);
  };
  socket.on('data', (chunk: Buffer) => {
    let data = chunk;
    if (!media) {
      const end = chunk.indexOf('\r\n\r\n');
      const playing = answered === controls.length + 1 && controls.length > 0;
      answer(chunk.toString('latin1'));
      if (!playing) return;
      media = true;
      data = chunk.subarray(end + 4);
    }
    tally.got(data.length);
    walk(data);
  });
  socket.on('error', (error) => {
    throw error;
  });
  send('DESCRIBE', address!, 'Accept: application/sdp\r\n');
}

function readMse(index: number): void {
  const tally = new Tally(index);
  const socket = new WebSocket(address!, { perMessageDeflate: false, skipUTF8Validation: true });
  socket.on('message', (data: Buffer, binary) => {
    tally.got(data.length);
    // Pictures are far larger than frames of sound and initialisation segments.
    if (binary && data.length > 4000) tally.picture(data);
  });
  socket.on('error', (error) => {
    throw error;
  });
}

/** FLV over HTTP: tags after the answer's headers and the header of FLV; pictures are in tags of type 9. */
function readFlv(index: number): void {
  const tally = new Tally(index);
  const url = new URL(address!);
  const socket = connect(Number(url.port), url.hostname);
  let rest: Buffer = Buffer.alloc(0);
  let begun = false;
  socket.on('data', (chunk: Buffer) => {
    tally.got(chunk.length);
    const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    if (!begun) {
      const end = data.indexOf('\r\n\r\nFLV');
      if (end < 0 || data.length < end + 4 + 13) {
        rest = data;
        return;
      }
      begun = true;
      at = end + 4 + 13;
    }
    while (data.length - at >= 15) {
      const size = data.readUIntBE(at + 1, 3);
      if (data.length - at < 15 + size) break;
      const body = data.subarray(at + 11, at + 11 + size);
      if (data[at] === 9 && body[1] === 1) tally.picture(body);
      at += 15 + size;
    }
    rest = data.subarray(at);
  });
  socket.on('error', (error) => {
    throw error;
  });
  socket.write(`GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
}

/** RTMP: everything is asked for at once, behind the handshake; pictures are messages of type 9. */
function readRtmp(index: number): void {
  const tally = new Tally(index);
  const url = new URL(address!);
  const socket = connect(Number(url.port), url.hostname);
  const chunks = new ChunkReader();
  let shaking = 1 + 2 * 1536;
  socket.on('data', (data: Buffer) => {
    tally.got(data.length);
    const over = Math.min(shaking, data.length);
    shaking -= over;
    if (over < data.length) chunks.push(data.subarray(over));
    for (let message = chunks.next(); message; message = chunks.next()) {
      const { type, payload } = message;
      if (type === MessageType.video && payload[1] === 1) tally.picture(payload);
    }
  });
  socket.on('error', (error) => {
    throw error;
  });
  socket.write(
    Buffer.concat([
      Buffer.from([3]),
      Buffer.alloc(2 * 1536),
      commandMessage(0, 'connect', 1, { app: url.pathname.slice(1) }),
      commandMessage(0, 'createStream', 2, null),
      commandMessage(1, 'play', 3, null, ''),
    ]),
  );
}

/** WebRTC: our own client, as a WHEP source is; the last packet of a picture has the marker. */
function readWebRtc(index: number): void {
  const tally = new Tally(index);
  let video = -1;
  new WhepConnection(
    { url: address!, trust: {}, clock: systemClock },
    {
      onTracks: (tracks) => {
        video = tracks.find(({ track }) => track.format.kind === 'video')!.format.payloadType;
      },
      onRtp: (packet) => {
        tally.got(packet.length);
        if (packet[1] === (video | 0x80)) tally.picture(packet);
      },
      onRtcp: () => {},
      onFailed: (error) => {
        throw error;
      },
    },
  );
}

const read = {
  rtsp: readRtsp,
  mse: readMse,
  rtmp: readRtmp,
  flv: readFlv,
  webrtc: readWebRtc,
  hls: (index: number) => void readHls(address!, new Tally(index)),
}[kind!]!;
for (let index = 0; index < count; index++) setTimeout(() => read(index), index * 4);
setInterval(() => {
  const sum = bytes.reduce((a, b) => a + b, 0);
  process.send!({ ready, bytes: sum, smallest: Math.min(...bytes), ages, firstKeyframes } satisfies Report);
  bytes.fill(0);
  ages = [];
  firstKeyframes = [];
}, 1000);
process.on('disconnect', () => process.exit());
