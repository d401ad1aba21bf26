import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { pcmaFormat } from '#codecs/g711.ts';
import { h265Format } from '#codecs/h265.ts';
import { mp3Format } from '#codecs/mp3.ts';
import { unsupportedInFlv } from '#containers/flv/write.ts';
import { selectTracks, unplayableInPages } from '#feeds/fmp4/tracks.ts';
import { type AudioCodec, isAudio, type Track, type VideoCodec } from '#media/track.ts';
import { packetReader } from '#pipelines/source-format.ts';
import { payloadTypeOf } from '#protocols/sdp/build.ts';
import { matchTracks } from '#protocols/sdp/webrtc-answer.ts';
import { parseWebRtcOffer } from '#protocols/sdp/webrtc-offer.ts';
import { ac3Track, av1Track, mpeg4Track, vp8Track, vp9Track } from '../support/coded-samples.ts';
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
  MP3: { id: 2, clockRate: 48_000, format: mp3Format(48_000, 2) },
};

/** What a browser would offer that can decode everything. */
const names = ['H264', 'H265', 'AV1', 'VP9', 'VP8', 'opus', 'PCMA', 'MPEG4-GENERIC', 'AC3'];
const clockRates: Readonly<Record<string, number>> = { opus: 48_000, PCMA: 8000 };
const formats = names.flatMap((name, i) => [
  `a=rtpmap:${96 + i} ${name}/${clockRates[name] ?? 90_000}`,
  `a=fmtp:${96 + i} packetization-mode=1`,
]);

function plays(track: Track): boolean {
  const lines = [
    'v=0',
    `m=${track.format.kind} 9 UDP/TLS/RTP/SAVPF ${names.map((_, i) => 96 + i).join(' ')}`,
    ...['a=ice-ufrag:abcd', 'a=ice-pwd:0123456789012345678901', 'a=setup:actpass'],
    `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'AB').join(':')}`,
    ...['a=mid:0', 'a=recvonly', 'a=rtcp-mux'],
    ...formats,
  ];
  // What goes as it is; what is made of the others is the same for all of them.
  const matched = matchTracks(parseWebRtcOffer(lines.join('\r\n')), [track], () => false);
  return matched.some(({ convert }) => convert === undefined);
}

function isRead(track: Track): boolean {
  const codec = track.format.codec as VideoCodec | AudioCodec;
  const stream = {
    ...{ index: 0, kind: track.format.kind, codec, codecName: codec, extradata: undefined },
    ...{ timeBase: { num: 1n, den: 1000n }, width: 0, height: 0, fps: 0, bitRate: 0 },
    sampleRate: isAudio(track) ? track.format.sampleRate : 0,
    channels: 1,
  };
  return packetReader(stream, 0) !== undefined;
}

const doors: Readonly<Record<string, (track: Track) => boolean>> = {
  RTSP: (track) => payloadTypeOf(track) !== undefined,
  'RTMP, HTTP-FLV': (track) => unsupportedInFlv(track) === undefined,
  HLS: (track) => selectTracks([track]).tracks.length > 0,
  'page (MSE)': (track) => selectTracks([track], unplayableInPages).tracks.length > 0,
  WebRTC: plays,
  'files, network sources': isRead,
};

it('what the table of codecs says is what the doors do', async () => {
  const page = await readFile(new URL('../../docs/codecs.md', import.meta.url), 'utf8');
  const cells = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const lines = page.split('\n').filter((line) => line.startsWith('|'));
  const [head = '', , ...rows] = lines.slice(0, 2 + Object.keys(tracks).length);
  expect(cells(head).slice(1)).toEqual(Object.keys(doors));
  expect(rows.map((row) => cells(row)[0])).toEqual(Object.keys(tracks));
  for (const row of rows) {
    const [codec = '', ...said] = cells(row);
    // What is turned into another codec is not carried as it is.
    const done = Object.values(doors).map((carries) => carries(tracks[codec]!));
    expect({ codec, doors: said.map((cell) => cell === 'yes') }).toEqual({ codec, doors: done });
  }
});
