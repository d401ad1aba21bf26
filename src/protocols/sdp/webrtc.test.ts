import { describe, expect, it } from 'vitest';
import { aacFormat, buildAacConfig } from '#codecs/aac.ts';
import { pcmaFormat } from '#codecs/g711.ts';
import { opusFormat } from '#codecs/opus.ts';
import type { Track } from '#media/track.ts';
import { av1Track, vp8Track, vp9Track } from '../../../test/support/coded-samples.ts';
import { playoutDelayBlock } from '../rtp/playout-delay.ts';
import { buildWebRtcAnswer, matchTracks, PLAYOUT_DELAY } from './webrtc-answer.ts';
import { parseWebRtcOffer } from './webrtc-offer.ts';

const FINGERPRINT = Array.from({ length: 32 }, (_, i) => i.toString(16).padStart(2, '0').toUpperCase()).join(
  ':',
);

/** As Chromium writes it, shortened. */
const OFFER = `v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1 2
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 106
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 ${FINGERPRINT}
a=setup:actpass
a=mid:0
a=recvonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtpmap:97 H264/90000
a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f
a=rtpmap:102 H264/90000
a=rtcp-fb:102 nack
a=rtcp-fb:102 nack pli
a=rtcp-fb:102 transport-cc
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=rtpmap:106 H264/90000
a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f
m=audio 9 UDP/TLS/RTP/SAVPF 111 0
a=mid:1
a=recvonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:2
a=sctp-port:5000
a=max-message-size:262144
`;

/** A section that the browser does not use. */
const REFUSED = `m=audio 0 UDP/TLS/RTP/SAVPF 0
a=mid:3
a=inactive
a=rtcp-mux
`;

/** The other codecs of Chromium. */
const OTHERS = OFFER.replace('SAVPF 96 97 102 103 106', 'SAVPF 96 98 100 45').replace(
  'a=rtpmap:96 VP8/90000\n',
  `a=rtpmap:96 VP8/90000
a=rtpmap:98 VP9/90000
a=fmtp:98 profile-id=0
a=rtpmap:100 VP9/90000
a=fmtp:100 profile-id=2
a=rtpmap:45 AV1/90000
a=fmtp:45 level-idx=5;profile=0;tier=0
`,
);

function video(codecString: string): Track {
  const format = {
    kind: 'video',
    codec: 'h264',
    parameterSets: [],
    width: 0,
    height: 0,
    codecString,
  } as const;
  return { id: 1, clockRate: 90_000, format };
}

const aac: Track = {
  id: 2,
  clockRate: 44_100,
  format: aacFormat(buildAacConfig({ sampleRate: 44_100, channels: 2 })),
};
const inOrder = (): boolean => false;
const opus: Track = { id: 2, clockRate: 48_000, format: opusFormat(2) };

describe('an offer of a browser', () => {
  it('is read: credentials, fingerprint and formats', () => {
    const offer = parseWebRtcOffer(OFFER);
    expect(offer.ice).toEqual({ ufrag: 'abcd', password: '0123456789012345678901' });
    expect(offer.fingerprint).toBe(FINGERPRINT.replaceAll(':', '').toLowerCase());
    expect(offer.medias.map(({ kind, mid, direction }) => `${kind} ${mid} ${direction}`)).toEqual([
      'video 0 recvonly',
      'audio 1 recvonly',
      'application 2 sendrecv',
    ]);
    expect(offer.medias[0]?.formats[2]?.feedback).toEqual(['nack', 'nack pli', 'transport-cc']);
  });

  it.each([
    ['no SDP at all', OFFER, ''],
    ['no media', OFFER.slice(OFFER.indexOf('m=video')), ''],
    ['no bundle', 'a=group:BUNDLE 0 1 2', 'a=group:BUNDLE 0'],
    ['no rtcp-mux', 'a=rtcp-mux', 'a=x'],
    ['no credentials', 'a=ice-pwd', 'a=x'],
    ['no fingerprint', 'a=fingerprint:sha-256', 'a=fingerprint:sha-1'],
    ['the passive role', 'a=setup:actpass', 'a=setup:passive'],
    ['one name for two sections', 'a=mid:1', 'a=mid:0'],
  ])('is refused with %s', (_, part, by) => {
    expect(() => parseWebRtcOffer(OFFER.replace(part, by))).toThrow(
      expect.objectContaining({ code: 'SDP_OFFER_INVALID' }),
    );
  });
});

describe('what a browser is sent', () => {
  it.each([
    ['avc1.4d401f', 106],
    ['avc1.42c01f', 102],
    ['avc1.64001f', 102],
  ])('has for %s the payload type of its profile, or the first with fragments: %i', (codec, payloadType) => {
    const [first] = matchTracks(parseWebRtcOffer(OFFER), [video(codec)], inOrder);
    expect(first?.format.payloadType).toBe(payloadType);
    expect(first?.convert).toBeUndefined();
  });

  it.each([
    ['vp8', vp8Track, 96],
    ['vp9', vp9Track, 98],
    ['vp9 of ten bits', { ...vp9Track, format: { ...vp9Track.format, codecString: 'vp09.02.10.10' } }, 100],
    ['vp9 before its first keyframe', { ...vp9Track, format: { ...vp9Track.format, codecString: '' } }, 98],
    ['av1', av1Track, 45],
  ] as [string, Track, number][])(
    'has the payload type of the codec and its profile: %s',
    (_, track, payloadType) => {
      const [first] = matchTracks(parseWebRtcOffer(OTHERS), [track], inOrder);
      expect(first?.format.payloadType).toBe(payloadType);
    },
  );

  it('is nothing where neither the profile nor H.264 is offered', () => {
    const offer = parseWebRtcOffer(OTHERS);
    const of = (track: Track, codecString: string) =>
      matchTracks(offer, [{ ...track, format: { ...track.format, codecString } } as Track], inOrder);
    expect(of(vp9Track, 'vp09.01.10.08')).toEqual([]);
    expect(of(av1Track, 'av01.1.04M.08')).toEqual([]);
  });

  it('leaves out what it does not offer', () => {
    const offer = parseWebRtcOffer(OFFER.replace('opus/48000/2', 'G722/8000'));
    expect(matchTracks(offer, [video(''), opus], inOrder).map(({ track }) => track.id)).toEqual([1]);
  });

  it.each([
    ['pictures with B-frames', video('avc1.64001f'), (): boolean => true, 'h264', 102],
    [
      'H.265 that it does not offer',
      { ...video(''), format: { ...video('').format, codec: 'h265' } },
      inOrder,
      'h264',
      102,
    ],
    ['AAC', aac, inOrder, 'opus', 111],
    ['G.711 at 16 kHz', { id: 2, clockRate: 16_000, format: pcmaFormat(16_000) }, inOrder, 'opus', 111],
  ] as const)('is made first of %s', (_, track, isReordered, convert, payloadType) => {
    const [first] = matchTracks(parseWebRtcOffer(OFFER), [track as Track], isReordered);
    expect([first?.convert, first?.format.payloadType]).toEqual([convert, payloadType]);
  });

  it('is read also where a line is full of blanks, without trying each of them', () => {
    const blanks = `a=fmtp:102 ${' '.repeat(60_000)}a=1\u20282\r\n`;
    const [media] = parseWebRtcOffer(OFFER.replace('a=rtpmap:102', `${blanks}a=rtpmap:102`)).medias;
    expect(media?.formats.find(({ payloadType }) => payloadType === 102)?.fmtp.get('a')).toBe('1\u20282');
  });

  it('goes as it is rather than made into something, whichever track that is', () => {
    const [first] = matchTracks(parseWebRtcOffer(OFFER), [aac, { ...opus, id: 3 }], inOrder);
    expect([first?.track.id, first?.convert]).toEqual([3, undefined]);
  });

  it('is answered with our side, sections that are not sent refused, data channels taken', () => {
    const offer = parseWebRtcOffer(OFFER + REFUSED);
    const tracks = matchTracks(offer, [video('avc1.42c01f'), aac], inOrder).map((one) => ({
      ...one,
      ssrc: one.track.id + 100,
      rtxSsrc: one.track.id + 200,
    }));
    const answer = buildWebRtcAnswer({
      offer,
      tracks,
      ice: { ufrag: 'ours', password: 'secret' },
      fingerprint: 'AA:BB',
      candidates: [
        { address: '192.0.2.1', port: 8189, protocol: 'udp' },
        { address: '192.0.2.1', port: 8189, protocol: 'tcp' },
      ],
      cname: 'yard',
    });
    const lines = answer.split('\r\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'a=group:BUNDLE 0 1 2',
        'a=ice-lite',
        'a=setup:passive',
        'm=video 9 UDP/TLS/RTP/SAVPF 102 103',
        'a=rtcp-fb:102 nack pli',
        'a=rtpmap:103 rtx/90000',
        'a=fmtp:103 apt=102',
        'a=ssrc-group:FID 101 201',
        'a=ssrc:201 cname:yard',
        'm=audio 9 UDP/TLS/RTP/SAVPF 111',
        'a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1',
        'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
        'a=sctp-port:5000',
        'a=max-message-size:65536',
        'm=audio 0 UDP/TLS/RTP/SAVPF 0',
        'a=candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host',
        'a=candidate:2 1 tcp 1520434943 192.0.2.1 8189 typ host tcptype passive',
      ]),
    );
    expect(answer).not.toContain('transport-cc');
  });

  it('is answered with the bound of its delay where one is sent, under the id of the browser', () => {
    const offer = parseWebRtcOffer(OFFER.replaceAll(/a=mid:[01]/g, `$&\na=extmap:5 ${PLAYOUT_DELAY}`));
    const answer = (playoutDelay?: Buffer) => {
      const tracks = matchTracks(offer, [video('avc1.42c01f'), opus], inOrder).map((one) => ({
        ...{ ...one, ssrc: 1, rtxSsrc: 2 },
        playoutDelay: one.playoutDelayId === 5 ? playoutDelay : undefined,
      }));
      const side = { ice: { ufrag: 'ours', password: 'secret' }, fingerprint: 'AA:BB', candidates: [] };
      return buildWebRtcAnswer({ offer, tracks, ...side, cname: 'yard' });
    };
    const [, pictures, sound] = answer(playoutDelayBlock(5, { min: 0, max: 20 })).split('\r\nm=');
    expect(pictures).toContain(`\r\na=extmap:5 ${PLAYOUT_DELAY}\r\n`);
    expect(sound).not.toContain('extmap');
    expect(answer()).not.toContain('extmap');
  });
});
