import { describe, expect, test } from 'vitest';
import { maskAddress } from './credentials.ts';

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
    ['rtsp://cam/live?token=abc', 'rtsp://cam/live?token=***'],
    ['rtsp://admin:se/cret@cam/live', 'rtsp://***@cam/live'],
    ['rtsp://[::1]:8554/live/a@b', 'rtsp://[::1]:8554/live/a@b'],
    ['rtsp://cam:554/live/a@b', 'rtsp://cam:554/live/a@b'],
  ])('%s is shown as %s', (url, shown) => {
    expect(maskAddress(url)).toBe(shown);
  });
});
