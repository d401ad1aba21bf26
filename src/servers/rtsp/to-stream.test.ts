import { describe, expect, test } from 'vitest';
import { Hub } from '#hub/hub.ts';
import { parseRtcp } from '#protocols/rtcp/packet.ts';
import { buildRtp } from '#protocols/rtp/packet.ts';
import { VirtualClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { RtspPublishing } from './to-stream.ts';

const AUDIO = 'm=audio 0 RTP/AVP 8\r\n';
const UNKNOWN = 'm=video 0 RTP/AVP 97\r\na=rtpmap:97 H266/90000\r\na=control:streamid=1\r\n';

function announce(sdp: string, name = 'yard/gate') {
  const clock = new VirtualClock();
  const hub = new Hub({ clock, holdMs: 0 });
  const publishing = new RtspPublishing(name, `v=0\r\ns=-\r\n${sdp}`, clock);
  const record = () => publishing.record(hub, { id: 'p', door: 'rtsp', remote: 'test' }, () => {});
  const setup = (track: string, channels: [number, number] = [0, 1]) =>
    publishing.setup({ name: publishing.name, track, channels });
  return { hub, publishing, record, setup };
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof NamedError) return `${error.code} ${error.status}`;
  }
  return 'nothing';
}

describe('RtspPublishing', () => {
  test('turns packets into units of the stream from RECORD on', () => {
    const { hub, publishing, record, setup } = announce(`${AUDIO}a=control:streamid=0\r\n`);
    const packet = Buffer.from(`8008000100000064000000aa${'d5'.repeat(160)}`, 'hex');
    setup('streamid=0', [4, 5]);
    publishing.receive(4, packet);
    record();
    publishing.receive(4, packet);
    publishing.receive(9, packet);
    publishing.pause();
    packet[3] = 2;
    publishing.receive(4, packet);
    const stream = hub.get('yard/gate');
    expect(stream?.tracks).toMatchObject([{ id: 0, clockRate: 8000, format: { codec: 'pcma' } }]);
    expect(stream?.counters.units).toBe(1);
    publishing.close('done');
    expect(hub.streams).toEqual([]);
  });

  test.for([
    ['a name of its own', 'a=control:streamid=0\r\n', 'streamid=0'],
    ['an absolute address', 'a=control:rtsp://other-name:8554/yard/gate/track1\r\n', 'track1'],
    ['a slash in front', 'a=control:/audio\r\n', 'audio'],
    ['other case', 'a=control:TrackID=0\r\n', 'trackid=0'],
    ['no name at all', '', ''],
    ['no name, and a SETUP that makes one up', '', 'trackID=0'],
  ] as const)('finds the track whose control is %s', ([, control, asked]) => {
    const { hub, record, setup } = announce(AUDIO + control);
    setup(asked);
    record();
    expect(hub.get('yard/gate')?.tracks).toHaveLength(1);
  });

  test('leaves out a track of an unknown codec, says so, and answers its SETUP', () => {
    const { hub, publishing, record, setup } = announce(`${AUDIO}a=control:streamid=0\r\n${UNKNOWN}`);
    expect(publishing.ignored.join()).toContain('H266');
    setup('streamid=1', [2, 3]);
    expect(codeOf(record)).toBe('NO_TRACK_SET_UP 415');
    setup('streamid=0');
    record();
    expect(hub.get('yard/gate')?.tracks.map(({ format }) => format.codec)).toEqual(['pcma']);
  });

  test('refuses what it cannot take, by name', () => {
    expect(codeOf(() => announce(UNKNOWN))).toBe('CODEC_UNSUPPORTED 415');
    expect(codeOf(() => announce('this is no description'))).toBe('SDP_INVALID 400');
    expect(codeOf(() => announce(AUDIO, 'api/live'))).toBe('STREAM_NAME_INVALID 400');
    const { setup } = announce(`${AUDIO}a=control:streamid=0\r\n`);
    expect(codeOf(() => setup('streamid=7'))).toBe('TRACK_NOT_FOUND 404');
    setup('streamid=0');
    expect(codeOf(() => setup('streamid=0'))).toBe('TRACK_NOT_FOUND 404');
  });
});

/** A publisher of H.264 and G.711 at work; `said` is the RTCP that it is sent. */
function publishing(transport: 'tcp' | 'udp', feedback = '') {
  const clock = new VirtualClock();
  const hub = new Hub({ clock, holdMs: 0 });
  const said: { channel: number; packets: ReturnType<typeof parseRtcp> }[] = [];
  let closed: string | undefined;
  const sdp = `v=0\r\nm=video 0 RTP/AVPF 96\r\na=rtpmap:96 H264/90000\r\n${feedback}${AUDIO}`;
  const publisher = new RtspPublishing('cam', sdp, clock, {
    reorderMs: 50,
    send: (channel, packet) => said.push({ channel, packets: parseRtcp(packet) }),
  });
  for (const first of [0, 2]) {
    const ports = transport === 'udp' ? { clientPorts: [5000 + first, 5001 + first] as const } : {};
    publisher.setup({ name: 'cam', track: '', channels: [first, first + 1], ...ports });
  }
  publisher.record(hub, { id: 'p', door: 'rtsp', remote: 'test' }, (reason) => {
    closed = reason;
    publisher.close(reason);
  });
  const put = (channel: number, sequence: number, ssrc = 7) => {
    const timestamp = sequence * 160;
    const payload = Buffer.alloc(160, 0xd5);
    publisher.receive(
      channel,
      buildRtp({ payloadType: 8, marker: true, sequence, timestamp, ssrc, payload }),
    );
  };
  return { clock, hub, publisher, said, put, why: () => closed };
}

describe('a publisher', () => {
  test.each(['tcp', 'udp'] as const)('over %s is told every 5 s how its packets arrive', (transport) => {
    const { clock, publisher, said, put } = publishing(transport);
    for (let n = 0; n < 500; n++) {
      if (n % 10 !== 5) put(2, n);
      clock.advance(20);
    }
    const reports = said.map(({ channel, packets }) => [channel, packets[0]]);
    expect(reports).toHaveLength(2);
    expect(reports[1]).toEqual([
      3,
      expect.objectContaining({
        type: 'receiver-report',
        reports: [expect.objectContaining({ ssrc: 7, lost: 50, fractionLost: 25, highestSequence: 499 })],
      }),
    ]);
    expect(said[0]?.packets[1]?.type).toBe('source-description');
    publisher.close('done');
    expect(clock.pending).toBe(0);
  });

  test('shows the stream what was lost, late and doubled of each track', () => {
    const { clock, hub, publisher, put } = publishing('udp');
    for (const n of [1, 2, 4, 3, 3, 6]) put(2, n);
    clock.advance(50);
    put(2, 5);
    expect(hub.get('cam')?.reception).toEqual([
      { track: 0, packets: 0, lost: 0, late: 0, duplicate: 0, concealed: 0 },
      { track: 1, packets: 7, lost: 1, late: 1, duplicate: 1, concealed: 0 },
    ]);
    expect(hub.get('cam')?.counters.units).toBe(5);
    publisher.close('done');
    expect(clock.pending).toBe(0);
  });

  test('that understands it is asked for a keyframe, at most once a second', () => {
    const { hub, said, put } = publishing('tcp', 'a=rtcp-fb:96 nack pli\r\n');
    const stream = hub.get('cam');
    put(0, 1, 9);
    put(2, 1);
    stream?.requestKeyframe();
    stream?.requestKeyframe();
    expect(said.map(({ channel, packets }) => [channel, packets.map(({ type }) => type)])).toEqual([
      [1, ['receiver-report', 'source-description', 'keyframe-request']],
    ]);
  });

  test('that does not understand it is not asked', () => {
    const { hub, said, put } = publishing('tcp');
    put(0, 1, 9);
    hub.get('cam')?.requestKeyframe();
    expect(said).toEqual([]);
  });

  test('from which nothing ever comes over UDP is closed after 10 s, with the advice to try TCP', () => {
    const { clock, hub, why } = publishing('udp');
    clock.advance(9_999);
    expect(why()).toBeUndefined();
    clock.advance(1);
    expect(why()).toMatch(/No packet .* over UDP within 10 s; a firewall .* -rtsp_transport tcp/);
    expect(hub.streams).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('that falls silent over UDP is closed, but not while it pauses', () => {
    const { clock, publisher, put, why } = publishing('udp');
    clock.advance(9_000);
    put(2, 1);
    clock.advance(9_000);
    publisher.pause();
    clock.advance(60_000);
    expect(why()).toBeUndefined();
    publisher.record(new Hub(), { id: 'p', door: 'rtsp', remote: 'test' }, () => {});
    clock.advance(9_999);
    expect(why()).toBeUndefined();
    clock.advance(10_000);
    expect(why()).toMatch(/Nothing came from the publisher over UDP for 10 s/);
  });

  test('over TCP is not watched for silence', () => {
    const { clock, why } = publishing('tcp');
    clock.advance(60_000);
    expect(why()).toBeUndefined();
  });
});
