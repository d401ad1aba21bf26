import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { pcmaFormat } from '#codecs/g711.ts';
import { h265Format } from '#codecs/h265.ts';
import { mp3Format } from '#codecs/mp3.ts';
import { forwardKind } from '#config/forward-schema.ts';
import { unsupportedInFlv } from '#containers/flv/write.ts';
import {
  fileKind,
  fittedWish,
  OUTPUTS,
  type OutputKind,
  outputKind,
  refusal,
  refusalOfWish,
  requestFor,
} from '#media/outputs.ts';
import type { Track } from '#media/track.ts';
import { payloadTypeOf } from '#protocols/sdp/build.ts';
import { sendingSection } from '#protocols/sdp/webrtc-client-offer.ts';
import { ac3Track, av1Track, mp3Track, mpeg4Track, vp8Track, vp9Track } from '../support/coded-samples.ts';
import { aacTrack, h264Track, opusTrack } from '../support/fmp4-units.ts';

const tracks: Readonly<Record<string, Track>> = {
  'H.264': h264Track,
  'H.265': { id: 1, clockRate: 90_000, format: h265Format([]) },
  AV1: av1Track,
  VP9: vp9Track,
  VP8: vp8Track,
  'MPEG-4': mpeg4Track,
  AAC: aacTrack,
  Opus: opusTrack,
  'AC-3': ac3Track,
  'G.711': { id: 2, clockRate: 8000, format: pcmaFormat() },
  MP3: mp3Track,
};

/** What the forwards look at. */
const forwards: Readonly<Partial<Record<OutputKind, (track: Track) => boolean>>> = {
  rtsp: (track) => payloadTypeOf(track) !== undefined,
  rtmp: (track) => unsupportedInFlv(track) === undefined,
  whip: (track) => sendingSection(track, { ssrc: 0, cname: '' }) !== undefined,
};

describe('what an output can carry', () => {
  it.each(Object.entries(forwards))('is what its forward does: %s', (kind, carries) => {
    for (const [name, track] of Object.entries(tracks)) {
      expect({ name, is: refusal(kind as OutputKind, track) === undefined }).toEqual({
        name,
        is: carries(track),
      });
    }
  });

  it('stands in docs/codecs.md', async () => {
    const page = await readFile(new URL('../../docs/codecs.md', import.meta.url), 'utf8');
    const cells = (line: string) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
    const lines = page.split('\n');
    const head = lines.findIndex((line) => line.startsWith('| output |'));
    expect(cells(lines[head]!).slice(1)).toEqual(Object.keys(tracks));
    const rows = lines.slice(
      head + 2,
      lines.findIndex((line, at) => at > head && !line.startsWith('|')),
    );
    const kinds: Readonly<Record<string, OutputKind>> = {
      ...{ RTSP: 'rtsp', RTMP: 'rtmp', WHIP: 'whip', 'SRT, UDP': 'mpegts' },
      ...Object.fromEntries(
        ['mp4', 'mov', 'm4a', 'mkv', 'webm', 'ts', 'flv', 'mp3', 'aac', 'ogg', 'wav'].map((kind) => [
          `\`.${kind}\``,
          kind,
        ]),
      ),
    };
    expect(rows.map((row) => cells(row)[0])).toEqual(Object.keys(kinds));
    for (const row of rows) {
      const [name = '', ...said] = cells(row);
      const does = Object.values(tracks).map((track) => refusal(kinds[name]!, track) === undefined);
      expect({ name, carries: said.map((cell) => cell === 'yes') }).toEqual({ name, carries: does });
    }
  });

  it('is said where something else is to go there', () => {
    expect(refusal('mp4', vp8Track)).toBe(
      'MP4 cannot carry VP8; it can carry H.264, H.265, AV1, VP9, MPEG-4 part 2.',
    );
    expect(refusal('wav', h264Track)).toBe('WAV carries no picture.');
    expect(refusalOfWish('rtmp', { codec: 'mpeg4' })).toMatch(
      /^RTMP cannot carry MPEG-4 part 2; it can carry H\.264/,
    );
    const mp3 = { id: 2, clockRate: 48_000, format: mp3Format(48_000, 2) };
    expect(refusal('rtmp', mp3)).toBe(
      'RTMP cannot carry MP3 of 48000 Hz; it can carry 44100, 22050, 11025 Hz.',
    );
  });

  it('is made by itself: the codec, and the rate that an output demands', () => {
    expect(requestFor('rtsp', aacTrack)).toBeUndefined();
    expect(requestFor('whip', aacTrack)).toEqual({ codec: 'opus' });
    expect(requestFor('mp4', tracks['G.711']!)).toEqual({ codec: 'aac' });
    expect(requestFor('mpegts', av1Track)).toEqual({ codec: 'h264' });
    expect(requestFor('rtmp', aacTrack, { codec: 'mp3' })).toEqual({ codec: 'mp3', sampleRate: 44_100 });
    expect(requestFor('mkv', aacTrack, { codec: 'mp3' })).toEqual({ codec: 'mp3' });
    expect(fittedWish('rtmp', { codec: 'mp3', channels: 1 })).toEqual({
      codec: 'mp3',
      channels: 1,
      sampleRate: 44_100,
    });
    const wrong = { codec: 'mp3', sampleRate: 48_000 } as const;
    expect(() => requestFor('rtmp', aacTrack, wrong)).toThrow('cannot carry MP3 of 48000 Hz');
    expect(() => requestFor('webm', h264Track)).toThrow(
      'WebM cannot carry H.264; it can carry VP9, VP8, AV1.',
    );
  });

  it('is told by an address', () => {
    for (const scheme of ['rtsp', 'rtsps', 'rtmp', 'rtmps', 'srt', 'udp', 'whip', 'whips']) {
      const address = `${scheme}://host:1/a.mp4`;
      // The same words as the configuration has for its forwards.
      expect(outputKind(address), address).toBe(forwardKind(address));
    }
    expect(
      ['https://host/a/whip', 'stream:yard', '/a/b.mkv', 'file:///a.ts', 'gopher://a', 'b'].map(outputKind),
    ).toEqual(['whip', 'stream', 'mkv', 'ts', undefined, undefined]);
  });

  it('is of files told by the end of their names', () => {
    const names = ['a.mp4', 'b.M4V', 'c.mka', 'd.opus', 'e.tar.ts', 'f.txt', 'g', '.mp4/h'];
    expect(names.map(fileKind)).toEqual(['mp4', 'mp4', 'mkv', 'ogg', 'ts', undefined, undefined, undefined]);
    for (const kind of Object.keys(OUTPUTS)) expect(OUTPUTS[kind as OutputKind].name).not.toBe('');
  });
});
