import { ControllingAgent } from '#protocols/ice/controlling-agent.ts';
import { IceLiteAgent } from '#protocols/ice/lite-agent.ts';
import { parseRtcp } from '#protocols/rtcp/packet.ts';
import { buildRtp } from '#protocols/rtp/packet.ts';
import { playoutDelayBlock } from '#protocols/rtp/playout-delay.ts';
import { FrameReader, frameHeader } from '#protocols/rtp/stream-framing.ts';
import { crc32c } from '#protocols/sctp/crc32c.ts';
import { DataChannels } from '#protocols/sctp/data-channels.ts';
import { buildWebRtcAnswer, matchTracks, PLAYOUT_DELAY } from '#protocols/sdp/webrtc-answer.ts';
import { answeredTracks, buildClientOffer, receivingSections } from '#protocols/sdp/webrtc-client-offer.ts';
import { parseWebRtcAnswer, parseWebRtcOffer } from '#protocols/sdp/webrtc-offer.ts';
import { buildPublishAnswer, matchPublished, TRANSPORT_SEQUENCE } from '#protocols/sdp/webrtc-receive.ts';
import { SRTP_PROFILES, type SrtpProfile } from '#protocols/srtp/keys.ts';
import { SrtpReceiver, SrtpSender } from '#protocols/srtp/srtp.ts';
import { buildStun, parseStun, STUN, stunKey } from '#protocols/stun/message.ts';
import { MediaReceiver } from '#protocols/webrtc/media-receiver.ts';
import { VirtualClock } from '#util/clock.ts';
import { av1Track, vp9Track } from '../support/coded-samples.ts';
import { h264Track, opusTrack } from '../support/fmp4-units.ts';
import { SctpPeer } from '../support/sctp-peer.ts';
import type { FuzzTarget } from './run.ts';

const ICE = { ufrag: 'ours', password: 'secret' };
const FROM = { address: '192.0.2.1', port: 5000, protocol: 'udp' } as const;

const OFFER = [
  'v=0',
  'a=group:BUNDLE 0 1',
  'm=video 9 UDP/TLS/RTP/SAVPF 96 98 45',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789012345678901',
  `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'AB').join(':')}`,
  'a=setup:actpass',
  'a=mid:0',
  `a=extmap:5 ${PLAYOUT_DELAY}`,
  'a=recvonly',
  'a=rtcp-mux',
  'a=rtpmap:96 H264/90000',
  'a=rtcp-fb:* nack pli',
  'a=fmtp:96 packetization-mode=1;profile-level-id=42e01f',
  'a=rtpmap:98 VP9/90000',
  'a=fmtp:98 profile-id=0',
  'a=rtpmap:45 AV1/90000',
  'a=fmtp:45 level-idx=5;profile=0;tier=0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 0',
  'a=mid:1',
  'a=rtcp-mux',
  'a=rtpmap:111 opus/48000/2',
  '',
].join('\r\n');

const PUBLISH_OFFER = OFFER.replace('SAVPF 96', 'SAVPF 96 97')
  .replace('a=rtpmap:96', 'a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:96')
  .replace('a=recvonly', `a=sendonly\r\na=extmap:3 ${TRANSPORT_SEQUENCE}`)
  .replace(
    'a=rtcp-fb:* nack pli',
    ['nack', 'nack pli', 'transport-cc'].map((value) => `a=rtcp-fb:* ${value}`).join('\r\n'),
  );

/** RTP with a transport-wide sequence number, each packet behind its size. */
function publishedPackets(): Buffer {
  const packets = [1, 2, 5].map((n) => {
    const header = { payloadType: 96, marker: true, sequence: 65_533 + n, timestamp: n * 3600, ssrc: 9 };
    const plain = buildRtp({
      ...header,
      sequence: header.sequence & 0xffff,
      payload: Buffer.from('65aabbcc', 'hex'),
    });
    const extension = Buffer.from(`bede0001310${n.toString(16).padStart(3, '0')}0000`, 'hex');
    plain[0] = 0x90;
    return Buffer.concat([plain.subarray(0, 12), extension, plain.subarray(12)]);
  });
  const report = Buffer.from('80c80006000000090102030405060708000000010000000200000003', 'hex');
  return Buffer.concat([...packets, report].flatMap((packet) => [frameHeader(packet.length), packet]));
}

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

/** Packets of SCTP with the right tag and checksum, so that what is in them is looked at. */
function sctpPackets(): FuzzTarget {
  const clock = new VirtualClock();
  /** Opens an association, and tells its own packets and those that were sent to it. */
  const opened = () => {
    const packets: Buffer[] = [];
    const channels = new DataChannels({
      ...{ clock, localPort: 5000, remotePort: 5000, maxMessageSize: 64 << 10 },
      random: (size) => Buffer.alloc(size, 7),
      send: (packet) => peer.receive(packet),
      accepts: () => true,
      onChannel: (channel) => ({ message: (data) => channel.sendText(data), close: () => {} }),
      onClose: () => {},
    });
    const peer = new SctpPeer(clock, (packet) => {
      packets.push(packet);
      channels.receive(packet);
    });
    peer.init();
    return { channels, peer, packets };
  };
  return {
    name: 'SCTP of data channels',
    seeds: () => {
      const { peer, packets } = opened();
      peer.outbound.push(0, 50, Buffer.from('0300000000000000000100002a', 'hex'));
      peer.outbound.push(0, 51, Buffer.alloc(3000, 'a'));
      peer.reset(0);
      return packets;
    },
    open: () => {
      let { channels } = opened();
      let inputs = 0;
      return {
        take: (input) => {
          if (++inputs % 1000 === 0) {
            channels.close();
            ({ channels } = opened());
          }
          const packet = Buffer.from(input);
          if (packet.length >= 12) {
            packet.writeUInt32BE(0x0707_0707, 4);
            packet.writeUInt32LE(0, 8);
            packet.writeUInt32LE(crc32c(packet), 8);
          }
          channels.receive(packet);
          clock.advance(1);
        },
        close: () => channels.close(),
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
        const matched = matchTracks(offer, [h264Track, opusTrack, av1Track, vp9Track], () => false);
        const tracks = matched.map((one) => ({
          ...{ ...one, ssrc: 1, rtxSsrc: 2 },
          playoutDelay: playoutDelayBlock(one.playoutDelayId ?? 0, { min: 0, max: 20 }),
        }));
        buildWebRtcAnswer({ offer, tracks, ice: ICE, fingerprint: 'AA', candidates: [FROM], cname: 'x' });
      },
    }),
  },
  {
    name: 'offers of publishers',
    seeds: () => [Buffer.from(PUBLISH_OFFER)],
    open: () => ({
      take: (input) => {
        const offer = parseWebRtcOffer(input.toString('utf8'));
        buildPublishAnswer(offer, matchPublished(offer), { ice: ICE, fingerprint: 'AA', candidates: [FROM] });
      },
    }),
  },
  {
    name: 'answers of WebRTC servers',
    seeds: () => {
      const offer = parseWebRtcOffer(OFFER);
      const matched = matchTracks(offer, [h264Track, opusTrack], () => false);
      const tracks = matched.map((one) => ({ ...one, ssrc: 1, rtxSsrc: 2 }));
      const fingerprint = Array.from({ length: 32 }, () => 'AB').join(':');
      const side = { ice: ICE, fingerprint, candidates: [FROM, { ...FROM, protocol: 'tcp' as const }] };
      return [
        Buffer.from(buildWebRtcAnswer({ offer, tracks, ...side, cname: 'x' })),
        Buffer.from(buildClientOffer(receivingSections(), side)),
      ];
    },
    open: () => ({ take: (input) => void answeredTracks(parseWebRtcAnswer(input.toString('utf8'))) }),
  },
  {
    name: 'answers to connectivity checks',
    seeds: () => {
      const transaction = Buffer.alloc(12, 5);
      return (['success', 'error', 'request'] as const).map((kind) =>
        buildStun({ class: kind, transaction, key: stunKey(ICE.password) }),
      );
    },
    open: () => {
      const clock = new VirtualClock();
      const candidate = { ...FROM, priority: 1, tcpType: '' };
      const agent = new ControllingAgent({
        ...{ clock, local: ICE, remote: ICE, candidates: [candidate] },
        send: () => {},
        onSelected: () => {
          throw new Error('A made-up answer was believed.');
        },
        onFailed: () => {},
      });
      return {
        take: (input) => {
          const message = parseStun(input);
          if (message) agent.receive(message, FROM);
        },
      };
    },
  },
  {
    name: 'packets of WebRTC publishers over TCP',
    seeds: () => [publishedPackets()],
    open: () => ({
      take: (input) => {
        const clock = new VirtualClock();
        let told = 0;
        const receiver = new MediaReceiver({
          tracks: matchPublished(parseWebRtcOffer(PUBLISH_OFFER)),
          clock,
          sendRtcp: () => void told++,
          onUnit: () => {},
          onTrack: () => {},
          onGoodbye: () => {},
        });
        for (const packet of new FrameReader(4096).push(input) ?? []) {
          if (packet[1] === 200) receiver.receiveRtcp(packet);
          else receiver.receiveRtp(packet);
          clock.advance(10);
        }
        clock.advance(1000);
        receiver.close();
        if (clock.pending > 0) throw new Error('A timer was left.');
        if (told > 200) throw new Error('The publisher was told too much.');
      },
    }),
  },
  {
    name: 'negative acknowledgements',
    seeds: () => [Buffer.from('81cd0004000000010000000200070005fff0ffff', 'hex')],
    open: () => ({ take: (input) => void parseRtcp(input) }),
  },
  sctpPackets(),
  protectedPackets('aead-aes-128-gcm'),
  protectedPackets('aes128-cm-sha1-80'),
];
