import { describe, expect, test } from 'vitest';
import { maskAddress } from '#util/mask-address.ts';
import { authorize } from './credentials.ts';

describe('an address that people may see', () => {
  test.each([
    ['rtsp://admin:s%40cret@cam:554/live', 'rtsp://cam:554/live'],
    ['rtsp://admin:a@b@cam/live', 'rtsp://cam/live'],
    [
      'rtsp://cam/live?user=admin&password=secret&channel=1',
      'rtsp://cam/live?user=admin&password=***&channel=1',
    ],
    [
      'rtsp://cam/user=admin_password=s_ecret_channel=1_stream=0.sdp',
      'rtsp://cam/user=admin_password=***_channel=1_stream=0.sdp',
    ],
    [
      'srt://cloud:9000?streamid=publish:yard:ann:secret&latency=1',
      'srt://cloud:9000?streamid=publish:yard:***&latency=1',
    ],
    ['srt://cloud:9000?streamid=publish:yard', 'srt://cloud:9000?streamid=publish:yard'],
    ['rtsp://cam/live?token=abc', 'rtsp://cam/live?token=***'],
    ['rtsp://admin:se/cret@cam/live', 'rtsp://***@cam/live'],
    ['rtsp://[::1]:8554/live/a@b', 'rtsp://[::1]:8554/live/a@b'],
    ['rtsp://cam:554/live/a@b', 'rtsp://cam:554/live/a@b'],
  ])('%s is shown as %s', (url, shown) => {
    expect(maskAddress(url)).toBe(shown);
  });
});

describe('authorize', () => {
  test('makes the digest of the example in RFC 2617 section 3.5', () => {
    const header = authorize(
      [
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
      ],
      { user: 'Mufasa', password: 'Circle Of Life' },
      { method: 'GET', uri: '/dir/index.html' },
      '0a4f113b',
    );
    expect(header).toContain('response="6629fae49393a05397450978507c4ef1"');
  });

  test('falls back to Basic, and gives up on schemes it does not know', () => {
    const credentials = { user: 'a', password: 'b' };
    const request = { method: 'DESCRIBE', uri: 'rtsp://h/' };
    expect(authorize(['Basic realm="x"'], credentials, request)).toBe('Basic YTpi');
    expect(authorize(['Bearer'], credentials, request)).toBeUndefined();
  });
});
