import { describe, expect, it } from 'vitest';
import { h264Track, opusTrack } from '../../../test/support/fmp4-units.ts';
import { buildWebRtcAnswer, matchTracks } from './webrtc-answer.ts';
import {
  answeredPayloadTypes,
  answeredTracks,
  buildClientOffer,
  receivingSections,
  sendingSection,
} from './webrtc-client-offer.ts';
import { parseWebRtcAnswer, parseWebRtcOffer } from './webrtc-offer.ts';
import { buildPublishAnswer, matchPublished } from './webrtc-receive.ts';

const FINGERPRINT = Array.from({ length: 32 }, () => 'AB').join(':');

/** As Chromium offers to publish, shortened; three layers of the picture. */
const OFFER = `v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1 2
a=extmap-allow-mixed
m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 109 110 98
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 ${FINGERPRINT}
a=setup:actpass
a=mid:0
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=sendonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:103 H264/90000
a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f
a=rtpmap:109 H264/90000
a=rtcp-fb:109 goog-remb
a=rtcp-fb:109 transport-cc
a=rtcp-fb:109 nack
a=rtcp-fb:109 nack pli
a=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:110 rtx/90000
a=fmtp:110 apt=109
a=rtpmap:98 H265/90000
a=rid:0 send
a=rid:1 send
a=simulcast:send 0;1
a=ssrc:111111 cname:x
a=ssrc:222222 cname:x
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0
a=mid:1
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=sendonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:2
`;

const SIDE = {
  ice: { ufrag: 'ours', password: 'secret' },
  fingerprint: 'AA:BB',
  candidates: [{ address: '192.0.2.1', port: 8189, protocol: 'udp' }],
} as const;

const change = (from: string, to: string) => parseWebRtcOffer(OFFER.replaceAll(from, to));

describe('what a publisher offers', () => {
  it('is taken in the codec that most readers can play, in fragments, whatever comes first', () => {
    const tracks = matchPublished(parseWebRtcOffer(OFFER));
    expect(tracks.map(({ track, format, mid }) => [track.format.codec, format.payloadType, mid])).toEqual([
      ['h264', 109, '0'],
      ['opus', 111, '1'],
    ]);
    expect(tracks[0]).toMatchObject({ ssrcs: [111_111, 222_222], sequenceExtension: 3 });
  });

  it('may be H.264 in single packets, H.265 or G.711, where nothing better is offered', () => {
    const single = matchPublished(change('packetization-mode=1', 'packetization-mode=2'));
    expect(single[0]?.format.payloadType).toBe(103);
    expect(matchPublished(change('H264', 'X264'))[0]?.format.payloadType).not.toBe(109);
    const g711 = matchPublished(change('opus/', 'speex/'));
    expect(g711[1]?.track.format).toMatchObject({ codec: 'pcmu', sampleRate: 8000 });
  });

  it('is answered with one format for each section, its feedback, and no layers', () => {
    const offer = parseWebRtcOffer(OFFER);
    const answer = buildPublishAnswer(offer, matchPublished(offer), SIDE);
    expect(answer.split('\r\n')).toEqual(
      expect.arrayContaining([
        'a=group:BUNDLE 0 1',
        'a=ice-lite',
        'm=video 9 UDP/TLS/RTP/SAVPF 109 110',
        'a=rtpmap:110 rtx/90000',
        'a=fmtp:110 apt=109',
        'a=setup:passive',
        'a=recvonly',
        'a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
        'a=rtcp-fb:109 transport-cc',
        'a=rtcp-fb:109 nack pli',
        'm=audio 9 UDP/TLS/RTP/SAVPF 111',
        'a=fmtp:111 minptime=10;useinbandfec=1;stereo=1',
        'm=application 0 UDP/DTLS/SCTP webrtc-datachannel',
      ]),
    );
    expect(answer).not.toMatch(/simulcast|rid|goog-remb|abs-send-time/);
  });

  it('is answered with REMB where the sender knows no newer feedback', () => {
    const offer = change('a=extmap:3', 'a=x');
    expect(buildPublishAnswer(offer, matchPublished(offer), SIDE)).toContain('a=rtcp-fb:109 goog-remb');
  });

  it('is refused as a whole when one section has no codec of ours, by name', () => {
    expect(() =>
      matchPublished(parseWebRtcOffer(OFFER.replace('opus/', 'speex/').replace('111 63 0', '111 63'))),
    ).toThrow(
      expect.objectContaining({
        code: 'WEBRTC_CODEC_UNSUPPORTED',
        status: 422,
        message: expect.stringContaining('SPEEX'),
      }),
    );
  });

  it('is refused when nothing is sent', () => {
    expect(() => matchPublished(change('a=sendonly', 'a=recvonly'))).toThrow(
      expect.objectContaining({ code: 'SDP_OFFER_INVALID' }),
    );
  });
});

describe('an offer of ours', () => {
  it('to read is answered by a server of ours, and understood', () => {
    const offer = parseWebRtcOffer(
      buildClientOffer(receivingSections(), { ...SIDE, fingerprint: FINGERPRINT }),
    );
    const matched = matchTracks(offer, [h264Track, opusTrack], () => false);
    const tracks = matched.map((one) => ({ ...one, ssrc: one.track.id, rtxSsrc: one.track.id + 10 }));
    const answer = parseWebRtcAnswer(
      buildWebRtcAnswer({ offer, tracks, ...SIDE, fingerprint: FINGERPRINT, cname: 'yard' }),
    );
    expect(answer).toMatchObject({ isPassive: true, candidates: [{ address: '192.0.2.1', port: 8189 }] });
    const received = answeredTracks(answer);
    expect(received.map(({ track, ssrcs }) => [track.format.codec, ssrcs[0]])).toEqual([
      ['h264', 1],
      ['opus', 2],
    ]);
  });

  it('to publish is answered by a server of ours, and understood', () => {
    const sections = [h264Track, opusTrack].flatMap(
      (track) => sendingSection(track, { ssrc: 5, cname: 'x' }) ?? [],
    );
    const offer = parseWebRtcOffer(buildClientOffer(sections, { ...SIDE, fingerprint: FINGERPRINT }));
    const answer = buildPublishAnswer(offer, matchPublished(offer), { ...SIDE, fingerprint: FINGERPRINT });
    expect(answeredPayloadTypes(sections, parseWebRtcAnswer(answer))).toEqual([96, 111]);
    const refused = answer.replace('m=audio 9', 'm=audio 0');
    expect(answeredPayloadTypes(sections, parseWebRtcAnswer(refused))).toEqual([96, undefined]);
  });

  it('is not believed to be answered without candidates, credentials or media', () => {
    for (const text of ['', 'v=0\r\n', 'v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n']) {
      expect(() => parseWebRtcAnswer(text)).toThrow(expect.objectContaining({ code: 'SDP_ANSWER_INVALID' }));
    }
  });
});
