/** What the server writes is what the page's player reads: both sides of doors that have no library between them. */
import { describe, expect, it } from 'vitest';
import { rtpTimestamp } from '#media/timestamps.ts';
import { MultipartWriter, pictureUnit } from '#servers/pictures/multipart.ts';
import { MultipartReader, type Part } from '../../web/src/player/multipart-reader.ts';
import { RtpClock } from '../../web/src/player/rtp-clock.ts';

const WRAP = 2 ** 32;

describe('RtpClock', () => {
  it('gives back the timestamps that the server sent, over wraps, and pictures out of order', () => {
    const clock = new RtpClock();
    const start = WRAP - 10_000;
    const sent = [0, 3_600, 10_800, 7_200, 14_400, 3_600 * 1_000].map((ticks) => start + ticks);
    expect(sent.map((pts) => clock.pts(rtpTimestamp(pts)))).toEqual(sent);
  });

  it('learns from a result how often the timestamps wrapped before the page came', () => {
    const clock = new RtpClock();
    const pts = 5 * WRAP + 1_234;
    expect(clock.pts(rtpTimestamp(pts))).toBe(1_234);
    clock.anchor(pts - 90_000);
    expect(clock.pts(rtpTimestamp(pts + 3_600))).toBe(pts + 3_600);
  });

  it('knows timestamps before zero, as a publisher may have that began anew', () => {
    const clock = new RtpClock();
    clock.anchor(-7_200);
    expect([-3_600, 0, 3_600].map((pts) => clock.pts(rtpTimestamp(pts)))).toEqual([-3_600, 0, 3_600]);
  });
});

/** What the server sends for these pictures. */
function body(pictures: readonly { jpeg: string; pts: number }[]): Uint8Array {
  const writer = new MultipartWriter(() => {});
  const chunks = [...writer.greeting()];
  for (const { jpeg, pts } of pictures) {
    const picture = { jpeg: Buffer.from(jpeg), pts, ntp: 1_000, width: 2, height: 2 };
    writer.write(pictureUnit(picture), ({ bytes }) => chunks.push(bytes));
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function texts(parts: readonly Part[]): string[] {
  return parts.map(({ headers, body: jpeg }) => `${headers.get('x-pts')} ${Buffer.from(jpeg).toString()}`);
}

const pictures = [
  { jpeg: 'one', pts: 3_600 },
  { jpeg: '\r\n\r\n--sluice-picture\r\n:', pts: 7_200 },
  { jpeg: 'three', pts: 10_800 },
];
const expected = pictures.map(({ jpeg, pts }) => `${pts} ${jpeg}`);

describe('MultipartReader', () => {
  it('gives the parts that the server wrote, wherever the network cuts them', () => {
    const bytes = body(pictures);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = new MultipartReader();
      const parts = [...reader.push(bytes.subarray(0, cut)), ...reader.push(bytes.subarray(cut))];
      expect(texts(parts), `cut at ${cut}`).toEqual(expected);
    }
    const reader = new MultipartReader();
    expect(texts([...bytes].flatMap((byte) => reader.push(Uint8Array.of(byte))))).toEqual(expected);
  });

  it('gives a picture as soon as its last byte is there', () => {
    const bytes = body([{ jpeg: 'now', pts: 0 }]);
    const boundary = Buffer.byteLength('\r\n--sluice-picture\r\n');
    expect(new MultipartReader().push(bytes.subarray(0, bytes.length - boundary))).toHaveLength(1);
  });

  it('refuses what is no body of ours, and does not gather it', () => {
    const push = (text: string) => () => new MultipartReader().push(new TextEncoder().encode(text));
    expect(push('--b\r\nContent-Type: image/jpeg\r\n\r\n')).toThrow('length');
    expect(push('--b\r\nContent-Length: 99999999999\r\n\r\n')).toThrow('length');
    expect(push('x'.repeat(5_000))).toThrow('no end');
  });
});
