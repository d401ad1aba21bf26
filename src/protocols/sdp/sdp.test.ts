import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aacFormat } from '#codecs/aac.ts';
import { pcmaFormat, pcmuFormat } from '#codecs/g711.ts';
import { h264Format } from '#codecs/h264.ts';
import { h265Format } from '#codecs/h265.ts';
import { opusFormat } from '#codecs/opus.ts';
import type { Track } from '#media/track.ts';
import {
  ac3Track,
  av1Track,
  mp3Track,
  mpeg4Headers,
  mpeg4Track,
  vp8Track,
  vp9Track,
} from '../../../test/support/coded-samples.ts';
import { buildSdp, payloadTypeOf } from './build.ts';
import { parseSdp, type SdpMedia } from './sdp.ts';
import { trackFromMedia } from './tracks.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
const SPS = hex('6764001eacd940a02ff97ff000300041000003000100000300320f162d96');
const PPS = hex('68ebe3cb22c0');
const VPS = hex('40010c01ffff01600000030090000003000003005d959809');
const SPS5 = hex(
  '42010101600000030090000003000003005da00280802d165959a4932bffc000c0011a020000030002000003003210',
);
const PPS5 = hex('4401c172b46240');

const only = (text: string): SdpMedia => {
  const [media] = parseSdp(text).medias;
  if (!media) throw new Error('no media');
  return media;
};

describe('parseSdp', () => {
  it('reads what ffmpeg announces', () => {
    const { name, control, medias } = parseSdp(
      [
        'v=0',
        'o=- 0 0 IN IP4 127.0.0.1',
        's=No Name',
        'c=IN IP4 127.0.0.1',
        't=0 0',
        'a=tool:libavformat 59.27.100',
        'm=video 0 RTP/AVP 96',
        'a=rtpmap:96 H264/90000',
        `a=fmtp:96 packetization-mode=1; sprop-parameter-sets=${SPS.toString('base64')},${PPS.toString('base64')}; profile-level-id=64001E`,
        'a=control:streamid=0',
        'm=audio 0 RTP/AVP 97',
        'b=AS:128',
        'a=rtpmap:97 MPEG4-GENERIC/44100/2',
        'a=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3; config=121056E500',
        'a=control:streamid=1',
      ].join('\r\n'),
    );
    expect([name, control, medias.length]).toEqual(['No Name', '', 2]);
    const [video, audio] = medias;
    if (!video || !audio) throw new Error('no media');
    expect(video).toMatchObject({
      kind: 'video',
      payloadType: 96,
      encodingName: 'H264',
      control: 'streamid=0',
    });
    expect(trackFromMedia(video, 0)).toEqual({ id: 0, clockRate: 90_000, format: h264Format([SPS, PPS]) });
    expect(audio).toMatchObject({ clockRate: 44_100, channels: 2 });
    expect(trackFromMedia(audio, 1)).toEqual({
      id: 1,
      clockRate: 44_100,
      format: aacFormat(hex('121056E500')),
    });
  });

  it('bears a missing c=, a broken o=, stray spaces, bare line feeds and unknown attributes', () => {
    const media = only(
      'v=0\no=- broken\ns= \n x = y\n m = video  0   RTP/AVP  96 \na=x-dimensions:1,2\na=rtpmap:96  h264 / 90000\na=control: rtsp://10.0.0.2/trackID=1 \n',
    );
    expect(media).toMatchObject({
      encodingName: 'H264',
      clockRate: 90_000,
      control: 'rtsp://10.0.0.2/trackID=1',
    });
  });

  it('knows the static payload types without rtpmap', () => {
    expect(only('m=audio 0 RTP/AVP 0')).toMatchObject({ encodingName: 'PCMU', clockRate: 8000, channels: 1 });
    expect(only('m=audio 0 RTP/AVP 8')).toMatchObject({ encodingName: 'PCMA', clockRate: 8000 });
    expect(trackFromMedia(only('m=audio 0 RTP/AVP 8'), 3)).toEqual({
      id: 3,
      clockRate: 8000,
      format: pcmaFormat(),
    });
  });

  it('takes a port other than 0, a range and no address of the track for what they are', () => {
    const media = only(
      'a=range:npt=0-\nc=IN IP4 0.0.0.0\nm=video 49170/2 RTP/AVP 96\na=range:npt=now-\na=rtpmap:96 H264/90000\n',
    );
    expect(media).toMatchObject({ kind: 'video', payloadType: 96, encodingName: 'H264', control: '' });
  });

  it('takes attributes of another payload type for none', () => {
    const media = only('m=video 0 RTP/AVP 96\na=rtpmap:97 H265/90000\na=fmtp:97 x=1\na=rtpmap:96 H264/90000');
    expect(media.encodingName).toBe('H264');
    expect(media.fmtp.size).toBe(0);
  });

  it('gives a track without parameter sets when sprop is missing or broken', () => {
    for (const fmtp of ['', 'a=fmtp:96 sprop-parameter-sets=', 'a=fmtp:96 sprop-parameter-sets=!!,%%;']) {
      const media = only(`m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n${fmtp}`);
      expect(trackFromMedia(media, 0)).toMatchObject({
        format: { codec: 'h264', parameterSets: [], width: 0 },
      });
    }
  });

  it('removes start codes from sprop sets, which some cameras leave in', () => {
    const sets = [SPS, PPS].map((nal) => Buffer.concat([hex('00000001'), nal]).toString('base64')).join(',');
    const media = only(
      `m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets=${sets}`,
    );
    expect(trackFromMedia(media, 0)).toMatchObject({ format: { parameterSets: [SPS, PPS], width: 640 } });
  });

  it('makes up an AAC configuration that is missing', () => {
    const media = only('m=audio 0 RTP/AVP 97\na=rtpmap:97 mpeg4-generic/16000/1\na=fmtp:97 mode=AAC-hbr');
    expect(trackFromMedia(media, 0)).toMatchObject({
      format: { config: hex('1408'), sampleRate: 16_000, channels: 1 },
    });
  });

  it('reads the configuration of MP4A-LATM', () => {
    const media = only(
      'm=audio 0 RTP/AVP 97\na=rtpmap:97 MP4A-LATM/44100/2\na=fmtp:97 cpresent=0;config=400024203fc0',
    );
    expect(trackFromMedia(media, 0)).toMatchObject({
      format: { codec: 'aac', sampleRate: 44_100, channels: 2 },
    });
  });

  it('says why a codec is not taken', () => {
    const media = only('m=video 0 RTP/AVP 26');
    expect(trackFromMedia(media, 0)).toEqual({ unsupported: 'The codec JPEG (video) is not supported.' });
    expect(
      trackFromMedia(only('m=application 0 RTP/AVP 107\na=rtpmap:107 vnd.onvif.metadata/90000'), 0),
    ).toHaveProperty('unsupported');
  });

  it('reads which feedback the sender of a track understands', () => {
    const head = 'm=video 0 RTP/AVPF 96\r\na=rtpmap:96 H264/90000\r\n';
    const lines =
      'a=rtcp-fb:96 NACK  PLI\r\na=rtcp-fb:* ccm fir\r\na=rtcp-fb:97 nack\r\na=rtcp-fb:broken\r\n';
    expect(parseSdp(head + lines).medias[0]?.feedback).toEqual(['nack pli', 'ccm fir']);
    expect(parseSdp(head).medias[0]?.feedback).toEqual([]);
  });

  it('inherits the direction of the session', () => {
    const { medias } = parseSdp('a=recvonly\nm=audio 0 RTP/AVP 0\nm=audio 0 RTP/AVP 8\na=sendonly');
    expect(medias.map((media) => media.direction)).toEqual(['recvonly', 'sendonly']);
  });

  it('never throws, and neither does what follows', () => {
    const line = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.constantFrom(
        'm=video 0 RTP/AVP 96',
        'm=audio 0 RTP/AVP 97',
        'm=',
        'a=rtpmap:96 H264/',
        'a=fmtp:96 ;;=;a',
      ),
      fc.string({ maxLength: 20 }).map((s) => `a=rtpmap:96 ${s}`),
      fc.string({ maxLength: 20 }).map((s) => `a=fmtp:97 config=${s};sprop-sps=${s}`),
      fc.constantFrom('a=rtpmap:97 MP4A-LATM/1', 'a=rtpmap:97 MPEG4-GENERIC/1', 'a=rtpmap:96 H265/90000'),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
        for (const media of parseSdp(lines.join('\n')).medias)
          expect(trackFromMedia(media, 0)).toBeTypeOf('object');
      }),
      { numRuns: 500 },
    );
  });
});

describe('buildSdp', () => {
  const tracks: Track[] = [
    { id: 0, clockRate: 90_000, format: h264Format([SPS, PPS]) },
    { id: 1, clockRate: 48_000, format: aacFormat(hex('1190')) },
    { id: 2, clockRate: 90_000, format: h265Format([VPS, SPS5, PPS5]) },
    { id: 3, clockRate: 48_000, format: opusFormat(2) },
    { id: 4, clockRate: 8000, format: pcmuFormat() },
    { id: 5, clockRate: 16_000, format: pcmaFormat(16_000, 2) },
    { id: 6, clockRate: 90_000, format: { kind: 'data', codec: 'results' } },
  ];

  it('names AV1, VP9, VP8 and AC-3, with what a reader has to know of them', () => {
    const sdp = buildSdp([av1Track, vp9Track, vp8Track, ac3Track], { sessionName: 'x' });
    const lines = sdp.split('\r\n').filter((line) => /^a=(rtpmap|fmtp)/.test(line));
    expect(lines).toEqual([
      'a=rtpmap:97 AV1/90000',
      'a=fmtp:97 profile=0;level-idx=0;tier=0',
      'a=rtpmap:97 VP9/90000',
      'a=fmtp:97 profile-id=0',
      'a=rtpmap:97 VP8/90000',
      'a=rtpmap:98 ac3/48000/2',
    ]);
    const read = parseSdp(sdp).medias.map((media) => trackFromMedia(media, 0));
    // Keyframes and frames tell the rest.
    expect(read).toMatchObject([
      { clockRate: 90_000, format: { codec: 'av1', codecString: '' } },
      { clockRate: 90_000, format: { codec: 'vp9', codecString: '' } },
      { clockRate: 90_000, format: { codec: 'vp8', codecString: 'vp8', width: 0 } },
      { clockRate: 48_000, format: { codec: 'ac3', sampleRate: 48_000, channels: 2 } },
    ]);
  });

  it('names MPEG-4 part 2 by its headers, and MP3 on the clock of its own that it has over RTP', () => {
    const sdp = buildSdp([mpeg4Track, mp3Track], { sessionName: 'x' });
    const lines = sdp.split('\r\n').filter((line) => /^(m=|a=(rtpmap|fmtp))/.test(line));
    expect(lines).toEqual([
      'm=video 0 RTP/AVP 97',
      'a=rtpmap:97 MP4V-ES/90000',
      `a=fmtp:97 profile-level-id=1;config=${mpeg4Headers.toString('hex').toUpperCase()}`,
      'm=audio 0 RTP/AVP 14',
      'a=rtpmap:14 MPA/90000',
    ]);
    const read = parseSdp(sdp).medias.map((media) => trackFromMedia(media, 0));
    expect(read).toMatchObject([
      { clockRate: 90_000, format: { codec: 'mpeg4', width: 64, height: 64, parameterSets: [mpeg4Headers] } },
      { clockRate: 90_000, format: { codec: 'mp3' } },
    ]);
  });

  it('writes what parseSdp reads back as the same tracks, data left out', () => {
    const { medias, control } = parseSdp(buildSdp(tracks, { sessionName: 'yard/gate-1' }));
    expect(control).toBe('*');
    expect(medias.map((media) => media.control)).toEqual([0, 1, 2, 3, 4, 5].map((id) => `trackID=${id}`));
    expect(medias.map((media) => media.payloadType)).toEqual(tracks.slice(0, 6).map(payloadTypeOf));
    expect(medias.map((media, id) => trackFromMedia(media, id))).toEqual(tracks.slice(0, 6));
  });

  it('writes complete parameters', () => {
    const sdp = buildSdp(tracks, { sessionName: 'x', address: '192.0.2.1' });
    expect(sdp.split('\r\n').slice(0, 7)).toEqual([
      'v=0',
      'o=- 0 0 IN IP4 192.0.2.1',
      's=x',
      'c=IN IP4 0.0.0.0',
      't=0 0',
      'a=range:npt=now-',
      'a=control:*',
    ]);
    expect(sdp).toContain(
      `a=fmtp:96 packetization-mode=1;profile-level-id=64001E;sprop-parameter-sets=${SPS.toString('base64')},`,
    );
    expect(sdp).toContain('mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1190\r\n');
    expect(sdp).toContain('a=rtpmap:99 opus/48000/2\r\na=fmtp:99 sprop-stereo=1\r\n');
    expect(sdp).toContain('m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n');
    expect(sdp).toContain('level-id=93;sprop-vps=');
    expect(sdp.endsWith('\r\n')).toBe(true);
  });

  it('cannot be made to write other lines by a session name', () => {
    expect(buildSdp([], { sessionName: 'a\r\nm=video 0 RTP/AVP 96' })).toContain(
      's=a  m=video 0 RTP/AVP 96\r\n',
    );
    expect(buildSdp([], { sessionName: '', address: '2001:db8::1' })).toContain(
      'o=- 0 0 IN IP6 2001:db8::1\r\ns=-\r\n',
    );
  });
});
