import {
  AV_CODEC_ID_NONE,
  AV_NOPTS_VALUE,
  AVFMT_NOFILE,
  AVMEDIA_TYPE_VIDEO,
  AVSEEK_FLAG_BACKWARD,
} from 'node-av/constants';
import { Codec, Dictionary, FormatContext, Packet } from 'node-av/lib';

/**
 * The FFmpeg 8 of node-av as a program of its own, for what Debian's FFmpeg cannot do: Enhanced RTMP, and AV1 over RTP.
 *
 *     node ffmpeg8.ts publish <file> <format> <address>   over and over at real-time pace, until it is killed
 *     node ffmpeg8.ts read <address> <pictures>           writes a report as JSON
 */

/** What `read` writes. */
export interface PacketReport {
  readonly streams: readonly { readonly codec: string; readonly width: number; readonly channels: number }[];
  /** In the order in which they came. */
  readonly packets: readonly {
    readonly stream: number;
    /** Decoding time in seconds, the presentation time where FFmpeg knows none. */
    readonly time: number;
    readonly keyframe: boolean;
    /** The first bytes, in hex. */
    readonly head: string;
  }[];
}

function check(result: number, doing: string): void {
  if (result < 0) throw new Error(`${doing}: ${result}`);
}

async function open(address: string, options: Record<string, string>): Promise<FormatContext> {
  const input = new FormatContext();
  input.allocContext();
  check(await input.openInput(address, null, Dictionary.fromObject(options)), `opening ${address}`);
  check(await input.findStreamInfo(null), `looking into ${address}`);
  return input;
}

const seconds = (ticks: bigint, base: { num: number; den: number }) => (Number(ticks) * base.num) / base.den;

async function publish(file: string, format: string, address: string): Promise<void> {
  const input = await open(file, {});
  const output = new FormatContext();
  check(output.allocOutputContext2(null, format, address), `making ${format}`);
  for (const { codecpar, timeBase } of input.streams) {
    const stream = output.newStream(null);
    check(codecpar.copy(stream.codecpar), 'copying parameters');
    stream.codecpar.codecTag = 0;
    stream.timeBase = timeBase;
  }
  if (!output.oformat?.hasFlags(AVFMT_NOFILE)) check(await output.openOutput(), `connecting to ${address}`);
  const options = Dictionary.fromObject(
    format === 'rtsp' ? { rtsp_transport: 'tcp', strict: 'experimental' } : {},
  );
  check(await output.writeHeader(options), `beginning ${address}`);
  const began = performance.now();
  let shift = 0;
  let end = 0;
  for (;;) {
    const packet = new Packet();
    packet.alloc();
    if ((await input.readFrame(packet)) < 0) {
      packet.free();
      shift = end;
      check(await input.seekFrame(-1, 0n, AVSEEK_FLAG_BACKWARD), 'beginning anew');
      continue;
    }
    const source = input.streams[packet.streamIndex]!.timeBase;
    const target = output.streams[packet.streamIndex]!.timeBase;
    const moved = BigInt(Math.round((shift * source.den) / source.num));
    packet.pts += moved;
    packet.dts += moved;
    const time = seconds(packet.dts, source);
    end = Math.max(end, time + Math.max(seconds(packet.duration, source), 0.02));
    const early = time * 1000 - (performance.now() - began);
    if (early > 2) await new Promise((resolve) => setTimeout(resolve, early));
    packet.rescaleTs(source, target);
    packet.timeBase = target;
    check(await output.interleavedWriteFrame(packet), 'sending');
    packet.free();
  }
}

async function read(address: string, wanted: number): Promise<PacketReport> {
  const isRtsp = address.startsWith('rtsp:');
  const input = await open(address, isRtsp ? { rtsp_transport: 'tcp' } : {});
  const packets: PacketReport['packets'][number][] = [];
  for (let pictures = 0; pictures < wanted; ) {
    const packet = new Packet();
    packet.alloc();
    check(await input.readFrame(packet), `reading ${address}`);
    const { streamIndex, isKeyframe, data } = packet;
    const { timeBase, codecpar } = input.streams[streamIndex]!;
    if (codecpar.codecType === AVMEDIA_TYPE_VIDEO) pictures++;
    const time = seconds(packet.dts === AV_NOPTS_VALUE ? packet.pts : packet.dts, timeBase);
    const head = data?.toString('hex', 0, 16) ?? '';
    packets.push({ stream: streamIndex, time, keyframe: isKeyframe, head });
    packet.free();
  }
  const streams = input.streams.map(({ codecpar: { codecId, width, channels } }) => ({
    codec: codecId === AV_CODEC_ID_NONE ? 'none' : (Codec.findDecoder(codecId)?.name ?? String(codecId)),
    width,
    channels,
  }));
  return { streams, packets };
}

const [command, ...rest] = process.argv.slice(2);
if (command === 'publish') await publish(rest[0]!, rest[1]!, rest[2]!);
if (command === 'read') {
  const report = await read(rest[0]!, Number(rest[1]));
  // A connection that is still open would keep the process.
  process.stdout.write(JSON.stringify(report), () => process.exit(0));
}
