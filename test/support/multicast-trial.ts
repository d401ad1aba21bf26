/**
 * `unshare --net node multicast-trial.ts`: the whole server in a network of its own, and ffmpeg and GStreamer that read
 * from it by multicast. Prints as JSON what they saw and what the server did.
 */
import { execFileSync } from 'node:child_process';
import { readPictures } from './gst-pictures.ts';
import { barcodeClip } from './media.ts';
import { run } from './process.ts';
import { publish } from './rtsp.ts';
import { type ReceivedSkew, receivedSkew } from './skew.ts';
import { eventually, sluice } from './sluice.ts';

/** What the process prints, on its last line. */
export interface MulticastTrial {
  readonly ffmpeg: readonly ReceivedSkew[];
  /** What GStreamer complained of. */
  readonly gstreamer: string;
  /** Readers of the hub while two ffmpeg received, and their addresses. */
  readonly readers: readonly string[];
  /** Readers of the hub when both were gone. */
  readonly left: number;
  /** What ffmpeg says where multicast is off. */
  readonly refused: string;
}

const ip = (words: string) => void execFileSync('ip', words.split(' '));
ip('link set lo up');
ip('link set lo multicast on');
ip('route add 224.0.0.0/4 dev lo');

const SECONDS = 6;
const clip = await barcodeClip({ seconds: SECONDS, gop: 25 });
const PORTS = (transports: string) =>
  `http: { port: 0 }\nrtsp: { port: 0, udpPort: 0, transports: [${transports}] }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\n`;
const server = await sluice('demo: false\n');
const publisher = publish(clip, `${server.rtsp}/cam`, -1);
await server.live('cam');
const input = ['-rtsp_transport', 'udp_multicast', '-i', `${server.rtsp}/cam`];

const refused = await run('ffprobe', ['-v', 'error', ...input]);

await server.rewrite('demo: false\n', PORTS('tcp, udp, multicast'));
const readers = async () =>
  (await server.get<{ readers: { remote: string }[] }>('/api/streams/cam')).readers.map(
    ({ remote }) => remote,
  );
const first = receivedSkew(clip, SECONDS, input);
await eventually(async () => (await readers()).length > 0);
const second = receivedSkew(clip, SECONDS, input);
const gstreamer = readPictures([`location=${server.rtsp}/cam`, 'protocols=udp-mcast']);
const seen = eventually(async () => {
  const now = await readers();
  return now.length > 0 ? now : undefined;
});
const ffmpeg = await Promise.all([first, second]);
const complaints = await gstreamer;
const during = await seen;
await eventually(async () => (await readers()).length === 0, 30_000).catch(() => {});
const outcome: MulticastTrial = {
  ffmpeg,
  gstreamer: complaints,
  readers: during,
  left: (await readers()).length,
  refused: refused.stderr,
};
console.log(JSON.stringify(outcome));
await publisher.stop();
await server[Symbol.asyncDispose]();
process.exit();
