import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { guardedTarget } from './network-way.ts';

const names: Readonly<Record<string, readonly string[]>> = {
  archive: ['10.0.0.4'],
  sly: ['127.0.0.1'],
  both: ['10.0.0.4', '169.254.169.254'],
  group: ['239.1.1.1'],
};
const find: LookupFunction = (host, _options, callback) => {
  const found = names[host];
  if (!found) return callback(new Error('not known'), []);
  callback(
    null,
    found.map((address) => ({ address, family: 4 })),
  );
};

describe('what FFmpeg is told to send to over the API', () => {
  it.each([
    ['srt://archive:9000?streamid=a', 'srt://10.0.0.4:9000?streamid=a'],
    ['udp://archive:5000?pkt_size=188', 'udp://10.0.0.4:5000?pkt_size=188'],
    ['udp://239.1.1.1:5000', 'udp://239.1.1.1:5000'],
    ['udp://[ff05::1]:5000', 'udp://[ff05::1]:5000'],
    ['srt://[fd00::4]:9000', 'srt://[fd00::4]:9000'],
  ])('of %s is the address that was judged: %s', async (url, told) => {
    expect(await guardedTarget(url, find)).toBe(told);
  });

  it.each([
    'srt://sly:9000',
    'srt://both:9000',
    'srt://127.0.0.1:9000',
    'srt://0x7f.1:9000',
    'srt://[::1]:9000',
    'srt://239.1.1.1:9000',
    'srt://:9000',
    'srt://archive:9000?mode=listener',
    'udp://sly:5000',
    'udp://0.0.0.0:5000',
    'udp://255.255.255.255:5000',
    'udp://[fe80::1%eth0]:5000',
    'udp://[ff02::1]:5000',
    'udp://224.0.0.251:5353',
    'udp://group:5000',
    'udp://archive:5000?localaddr=127.0.0.1',
  ])('is never %s', async (url) => {
    await expect(guardedTarget(url, find)).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN' });
  });

  it('is nothing while a name has no address', async () => {
    await expect(guardedTarget('srt://u:secret@nobody:9000', find)).rejects.toMatchObject({
      code: 'FORWARD_UNREACHABLE',
      message: expect.not.stringContaining('secret'),
    });
  });
});
