import { describe, expect, it } from 'vitest';
import { forbidListening, forbidOptions, hostOf, isGroup, withHost } from './outward-address.ts';

describe('the host of an address', () => {
  it.each([
    ['rtsp://cam:554/live', 'cam'],
    ['rtsp://u:p@[2001:db8::1]:554/x', '2001:db8::1'],
    ['srt://encoder:9000?streamid=a', 'encoder'],
    ['http://2130706433/', '127.0.0.1'],
    ['rtsp://0x7f.1/', '127.0.0.1'],
    ['rtsp://017700000001:554/', '127.0.0.1'],
    ['rtsp://[::ffff:127.0.0.1]/', '::ffff:7f00:1'],
    ['http:///nowhere', ''],
  ])('of %s is %s', (url, host) => {
    expect(hostOf(url)).toBe(host);
  });

  it('can be another one, and everything else stays', () => {
    expect(withHost('srt://u:p@encoder:9000?streamid=a', '10.0.0.1')).toBe(
      'srt://u:p@10.0.0.1:9000?streamid=a',
    );
    expect(withHost('srt://encoder:9000', 'fd00::1')).toBe('srt://[fd00::1]:9000');
    expect(withHost('srt://[fd00::1]:9000', '10.0.0.1')).toBe('srt://10.0.0.1:9000');
  });
});

describe('an address that would open a port here', () => {
  it('is one of SRT that does not call, and one of UDP that is no group', () => {
    for (const url of [
      'srt://encoder:9000?mode=listener',
      'srt://encoder:9000?mode=caller&mode=rendezvous',
      'udp://0.0.0.0:5000',
      'udp://10.0.0.1:5000',
      'udp://@:5000',
      'udp://name:5000',
      'udp://224.0.0.18:112',
      'udp://239.1.1.1:5000?localaddr=127.0.0.1',
      'udp://[ff02::1]:5000',
      'udp://[ff05::1%eth0]:5000',
      'udp://[::ffff:239.1.1.1]:5000',
    ])
      expect(() => forbidListening(url, url), url).toThrow(/leads to/);
    for (const url of [
      'srt://encoder:9000?streamid=a&mode=caller',
      'udp://239.1.1.1:5000?fifo_size=100000',
      'http://cam/?mode=listener',
    ])
      expect(() => forbidListening(url, url), url).not.toThrow();
  });
});

describe('an address that is sent to', () => {
  it('names neither a mode nor an end of this machine', () => {
    for (const url of [
      'srt://archive:9000?mode=listener',
      'srt://archive:9000?streamid=a&mode=rendezvous',
      'udp://10.0.0.1:5000?localaddr=127.0.0.1',
      'udp://10.0.0.1:5000?localport=8554',
      'udp://10.0.0.255:5000?broadcast=1',
    ])
      expect(() => forbidOptions(url, url), url).toThrow(/leads to/);
    for (const url of ['srt://archive:9000?mode=caller', 'udp://10.0.0.1:5000?pkt_size=1316&ttl=4'])
      expect(() => forbidOptions(url, url), url).not.toThrow();
  });

  it('is a group where more than one cable can have it', () => {
    for (const host of ['239.1.1.1', '224.0.1.1', 'ff05::1', 'ff0e::1:2'])
      expect(isGroup(host), host).toBe(true);
    for (const host of [
      '224.0.0.251',
      'ff02::fb',
      'ff01::1',
      'ff05::1%eth0',
      '::ffff:e001:1',
      '10.0.0.1',
      'name',
    ])
      expect(isGroup(host), host).toBe(false);
  });
});
