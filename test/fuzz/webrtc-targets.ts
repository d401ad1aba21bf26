import { IceLiteAgent } from '#protocols/ice/lite-agent.ts';
import { parseRtcp } from '#protocols/rtcp/packet.ts';
import { buildRtp } from '#protocols/rtp/packet.ts';
import { buildWebRtcAnswer, matchTracks } from '#protocols/sdp/webrtc-answer.ts';
import { parseWebRtcOffer } from '#protocols/sdp/webrtc-offer.ts';
import { SRTP_PROFILES, type SrtpProfile } from '#protocols/srtp/keys.ts';
import { SrtpReceiver, SrtpSender } from '#protocols/srtp/srtp.ts';
import { buildStun, parseStun, STUN, stunKey } from '#protocols/stun/message.ts';
import { h264Track, opusTrack } from '../support/fmp4-units.ts';
import type { FuzzTarget } from './run.ts';

const ICE = { ufrag: 'ours', password: 'secret' };
const FROM = { address: '192.0.2.1', port: 5000, protocol: 'udp' } as const;

const OFFER = [
  'v=0',
  'a=group:BUNDLE 0 1',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789012345678901',
  `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'AB').join(':')}`,
  'a=setup:actpass',
  'a=mid:0',
  'a=recvonly',
  'a=rtcp-mux',
  'a=rtpmap:96 H264/90000',
  'a=rtcp-fb:* nack pli',
  'a=fmtp:96 packetization-mode=1;profile-level-id=42e01f',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 0',
  'a=mid:1',
  'a=rtcp-mux',
  'a=rtpmap:111 opus/48000/2',
  '',
].join('\r\n');

function protectedPackets(profile: SrtpProfile): FuzzTarget {
  const { keySize, saltSize } = SRTP_PROFILES[profile];
  const master = { profile, key: Buffer.alloc(keySize, 1), salt: Buffer.alloc(saltSize, 2) };
  return {
    name: `SRTP with ${profile}`,
    seeds: () => {
      const sender = new SrtpSender(master);
      const header = { payloadType: 96, marker: true, sequence: 7, timestamp: 1, ssrc: 9 };
      const report = Buffer.from('80c9000100000007', 'hex');
      return [sender.rtp(buildRtp({ ...header, payload: Buffer.alloc(40, 3) }), 96), sender.rtcp(report)];
    },
    open: () => {
      const receiver = new SrtpReceiver(master);
      return {
        take: (input) => {
          receiver.rtp(input);
          receiver.rtcp(input);
        },
      };
    },
  };
}

/** What a browser sends to the WebRTC door. */
export const webRtcTargets: readonly FuzzTarget[] = [
  {
    name: 'connectivity checks',
    seeds: () => {
      const attributes = [
        { type: STUN.username, value: Buffer.from('ours:theirs') },
        { type: STUN.iceControlling, value: Buffer.alloc(8, 1) },
        { type: STUN.useCandidate, value: Buffer.alloc(0) },
      ];
      const transaction = Buffer.alloc(12, 5);
      return [buildStun({ class: 'request', transaction, attributes, key: stunKey(ICE.password) })];
    },
    open: () => {
      const agent = new IceLiteAgent(ICE, 0);
      return {
        take: (input) => {
          const message = parseStun(input);
          if (message) agent.receive(message, FROM, 1);
        },
      };
    },
  },
  {
    name: 'offers of browsers',
    seeds: () => [Buffer.from(OFFER)],
    open: () => ({
      take: (input) => {
        const offer = parseWebRtcOffer(input.toString('utf8'));
        const tracks = matchTracks(offer, [h264Track, opusTrack]).map((one) => ({ ...one, ssrc: 1 }));
        buildWebRtcAnswer({ offer, tracks, ice: ICE, fingerprint: 'AA', candidates: [FROM], cname: 'x' });
      },
    }),
  },
  {
    name: 'negative acknowledgements',
    seeds: () => [Buffer.from('81cd0004000000010000000200070005fff0ffff', 'hex')],
    open: () => ({ take: (input) => void parseRtcp(input) }),
  },
  protectedPackets('aead-aes-128-gcm'),
  protectedPackets('aes128-cm-sha1-80'),
];
