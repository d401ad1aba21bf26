import { describe, expect, test } from 'vitest';
import { Hub } from '#hub/hub.ts';
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
