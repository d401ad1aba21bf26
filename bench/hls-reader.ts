import { Agent, get } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { readSamples } from '../test/support/fmp4-reader.ts';

export interface HlsTally {
  got(bytes: number): void;
  picture(bytes: Buffer): void;
  /** Whether it wants to know of every picture; else of the first alone. */
  readonly isSampled: boolean;
}

/** Reads as hls.js does with low latency: asks for the playlist that has the next part, and for the part it announces. */
export async function readHls(index: string, tally: HlsTally): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const fetchBytes = (address: string): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      get(address, { agent, headers: { 'accept-encoding': 'gzip' } }, (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('error', reject);
        answer.on('end', () => {
          const bytes = Buffer.concat(pieces);
          tally.got(bytes.length);
          if (answer.statusCode === 200)
            resolve(answer.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes);
          else reject(new Error(`${address}: ${answer.statusCode} ${bytes.toString()}`));
        });
      }).on('error', reject);
    });
  const pictures = (part: Buffer) => {
    for (const { data } of readSamples(part)) if (data.length > 4000) tally.picture(data);
  };

  const top = (await fetchBytes(index)).toString();
  const media = new URL(top.split('\n').find((line) => line !== '' && !line.startsWith('#'))!, index).href;
  const first = (await fetchBytes(media)).toString();
  const segment = first.split('\n').findLast((line) => line !== '' && !line.startsWith('#'))!;
  await fetchBytes(new URL(/#EXT-X-MAP:URI="([^"]+)"/.exec(first)![1]!, media).href);
  pictures(await fetchBytes(new URL(segment, media).href));
  for (let playlist = first; ; ) {
    const [, hint, sequence, part] = /#EXT-X-PRELOAD-HINT:TYPE=PART,URI="([^"]+-(\d+)\.(\d+)\.m4s)"/.exec(
      playlist,
    )!;
    const bytes = await fetchBytes(new URL(hint!, media).href);
    if (tally.isSampled) pictures(bytes);
    const next = `${media}?_HLS_msn=${sequence}&_HLS_part=${part}&_HLS_skip=YES`;
    playlist = (await fetchBytes(next)).toString();
  }
}
