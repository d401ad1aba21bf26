import { describe, expect, test } from 'vitest';
import { contentBase, parseRtspAddress, splitTrack } from './address.ts';
import { formatRtpInfo, formatSession, parseSessionId, RtspHeaders } from './headers.ts';
import { serializeResponse } from './message.ts';
import { rtspStatus } from './status.ts';
import { formatInterleavedTransport, parseTransport } from './transport.ts';

describe('Transport', () => {
  test('reads the choices in their order, with quotes and commas inside them', () => {
    expect(
      parseTransport(
        'RTP/AVP;unicast;client_port=5000-5001, rtp/avp/tcp;unicast;interleaved=2-3;mode="PLAY,RECORD"',
      ),
    ).toEqual([
      { profile: 'RTP/AVP', lower: 'UDP', multicast: false, mode: 'play', clientPorts: [5000, 5001] },
      { profile: 'RTP/AVP', lower: 'TCP', multicast: false, mode: 'record', interleaved: [2, 3] },
    ]);
  });

  test('takes a single channel for that of RTP and leaves out channels that cannot be', () => {
    expect(parseTransport('RTP/AVP/TCP;interleaved=4')[0]?.interleaved).toEqual([4, 5]);
    expect(parseTransport('RTP/AVP/TCP;interleaved=300-301')[0]?.interleaved).toBeUndefined();
    expect(parseTransport('RTP/AVP/TCP;interleaved=x')[0]?.interleaved).toBeUndefined();
    expect(parseTransport('nonsense')).toEqual([]);
  });

  test('answers with the channels and the mode', () => {
    expect(formatInterleavedTransport([0, 1], 'play')).toBe('RTP/AVP/TCP;unicast;interleaved=0-1');
    expect(formatInterleavedTransport([2, 3], 'record')).toBe(
      'RTP/AVP/TCP;unicast;interleaved=2-3;mode=record',
    );
  });
});

describe('addresses', () => {
  test('keep the query, the credentials and the slashes at the ends out of the name', () => {
    expect(parseRtspAddress('rtsp://u:p@cam:8554/yard//gate-1/?token=a/b')).toEqual({
      origin: 'rtsp://cam:8554',
      path: 'yard/gate-1',
      query: 'token=a/b',
    });
    expect(parseRtspAddress('/live')).toEqual({ origin: '', path: 'live', query: '' });
    expect(parseRtspAddress('rtsp://cam')).toEqual({ origin: 'rtsp://cam', path: '', query: '' });
    expect(parseRtspAddress('live')).toBeUndefined();
  });

  test('find the track behind a query, where players that join texts put it', () => {
    expect(parseRtspAddress('rtsp://cam/live?token=a/trackID=1')).toMatchObject({
      path: 'live/trackID=1',
      query: 'token=a',
    });
    expect(parseRtspAddress('rtsp://cam/live?token=a/')).toMatchObject({ path: 'live', query: 'token=a' });
  });

  test('are split into name and track, by the known name or by the form of our own tracks', () => {
    expect(splitTrack('a/b/streamid=0', 'a/b')).toEqual({ name: 'a/b', track: 'streamid=0' });
    expect(splitTrack('a/b', 'a/b')).toEqual({ name: 'a/b', track: '' });
    expect(splitTrack('a/b/trackID=1')).toEqual({ name: 'a/b', track: 'trackID=1' });
    expect(splitTrack('a/b')).toEqual({ name: 'a/b', track: '' });
    expect(contentBase({ origin: 'rtsp://h', path: 'a', query: '' }, 'a')).toBe('rtsp://h/a/');
  });
});

test('Session and RTP-Info', () => {
  expect(formatSession('abc', 60_000)).toBe('abc;timeout=60');
  expect(parseSessionId(' abc;timeout=60')).toBe('abc');
  expect(
    formatRtpInfo([
      { url: 'rtsp://h/a/trackID=0', sequence: 7, timestamp: 90 },
      { url: 'rtsp://h/a/trackID=1', sequence: 8 },
    ]),
  ).toBe('url=rtsp://h/a/trackID=0;seq=7;rtptime=90,url=rtsp://h/a/trackID=1;seq=8');
});

test('nothing that comes from outside can break out of a header or the status line', () => {
  const bytes = serializeResponse(
    404,
    RtspHeaders.from([['X', 'a\r\nEvil: 1']]),
    undefined,
    'no "é\r\nEvil: 2"',
  );
  expect(bytes.toString()).toBe('RTSP/1.0 404 Not Found - no " Evil: 2"\r\nX: a Evil: 1\r\n\r\n');
});

test('a conflict becomes Forbidden, and a status that RTSP does not know becomes 500', () => {
  expect(rtspStatus(409)).toBe(403);
  expect(rtspStatus(404)).toBe(404);
  expect(rtspStatus(418)).toBe(500);
});
