import { describe, expect, it } from 'vitest';
import { meantAddress as meant, meantAddresses, showAddress } from './shown-address.ts';

const meantAddress = (given: string, stored: string | undefined) => meant(given, stored, 'source');

const camera = 'rtsp://anna:secret@cam:554/live?channel=1';

describe('an address of the configuration', () => {
  it('is shown with *** where its secrets are', () => {
    expect(showAddress(camera)).toBe('rtsp://***@cam:554/live?channel=1');
    expect(showAddress('http://cam/flv?user=a&password=b')).toBe('http://cam/flv?user=a&password=***');
    expect(showAddress('rtsp://cam/live')).toBe('rtsp://cam/live');
    expect(showAddress('/films/a.mp4')).toBe('/films/a.mp4');
    for (const one of [camera, 'rtsp://a:b/c@cam/live', 'http://t@cam/?token=x']) {
      expect(showAddress(one)).not.toMatch(/secret|:b|b\/c|=x/);
    }
  });

  it('keeps its secrets when it is sent back as it was shown', () => {
    for (const stored of [camera, 'http://cam/flv?password=b', 'rtsp://cam/live', '/films/a.mp4'])
      expect(meantAddress(showAddress(stored), stored)).toBe(stored);
  });

  it('keeps its credentials for another path of the same server, and for no other server', () => {
    expect(meantAddress('rtsp://***@cam:554/sub', camera)).toBe('rtsp://anna:secret@cam:554/sub');
    for (const elsewhere of ['rtsp://***@cam:555/live', 'rtsp://***@evil/live', 'rtsps://***@cam:554/live'])
      expect(() => meantAddress(elsewhere, camera), elsewhere).toThrow(/"source" has \*\*\*/);
    expect(() => meantAddress('http://cam/other?password=***', 'http://cam/flv?password=b')).toThrow(
      /\*\*\*/,
    );
    expect(() => meantAddress('rtsp://***@cam/live', undefined)).toThrow(/\*\*\*/);
  });

  it('is found among others by how it is shown, wherever it stands in the list', () => {
    const stored = ['rtsp://a:1@x/one', 'rtmp://y/app?token=2', 'srt://z:9000?passphrase=3'];
    const shown = stored.map(showAddress);
    const list = (given: readonly string[]) => meantAddresses(given, stored, 'forward');
    expect(list(shown)).toEqual(stored);
    expect(list(shown.toReversed())).toEqual(stored.toReversed());
    expect(list(['udp://new:1', ...shown.slice(1)])).toEqual(['udp://new:1', ...stored.slice(1)]);
    expect(list(['rtsp://***@x/two'])).toEqual(['rtsp://a:1@x/two']);
    expect(list(['rtsp://x/one'])).toEqual(['rtsp://x/one']);
    for (const elsewhere of ['rtsp://***@evil/one', 'rtmp://evil/app?token=***', 'srt://z:1?passphrase=***'])
      expect(() => list([shown[0]!, elsewhere]), elsewhere).toThrow(/"forward\[1\]" has \*\*\*/);
  });

  it('of which two look the same keeps no secret that may be the other one', () => {
    const stored = ['rtsp://a:1@x/one', 'rtsp://b:2@x/one', 'rtsp://x/three'];
    const list = (...given: string[]) => meantAddresses(given, stored, 'forward');
    expect(list('rtsp://***@x/one', 'rtsp://***@x/one')).toEqual(stored.slice(0, 2));
    expect(() => list('rtsp://***@x/one')).toThrow(/"forward\[0\]"/);
    expect(() => list('rtsp://***@x/two')).toThrow(/which secret is meant/);
    expect(list('rtsp://x/three')).toEqual(['rtsp://x/three']);
  });

  it('loses its credentials when it is sent without them', () => {
    expect(meantAddress('rtsp://cam:554/live?channel=1', camera)).toBe('rtsp://cam:554/live?channel=1');
  });
});
