import { describe, expect, it } from 'vitest';
import { meantAddress, showAddress } from './shown-address.ts';

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

  it('loses its credentials when it is sent without them', () => {
    expect(meantAddress('rtsp://cam:554/live?channel=1', camera)).toBe('rtsp://cam:554/live?channel=1');
  });
});
