import { describe, expect, it } from 'vitest';
import { classColours, colourOf } from '#algorithms/overlay/palette.ts';
import { doorUrl, parseMessage } from './protocol.ts';
import { Rate } from './rate.ts';
import { retryDelay } from './reconnecting-socket.ts';

describe('class colours', () => {
  it('are twelve different ones, and none of them is red', () => {
    expect(new Set(classColours).size).toBe(12);
    for (const colour of classColours) {
      const [r, g, b] = [1, 3, 5].map((i) => Number.parseInt(colour.slice(i, i + 2), 16)) as [
        number,
        number,
        number,
      ];
      expect(r > 180 && g < 110 && b < 110, colour).toBe(false);
    }
  });

  it('are the same for the same label, always', () => {
    expect(colourOf('person')).toBe(colourOf('person'));
    expect(classColours).toContain(colourOf('a label nobody thought of'));
  });
});

describe('Rate', () => {
  it('counts events per second and falls when they stop', () => {
    const rate = new Rate(3_000);
    for (let now = 0; now <= 3_000; now += 40) rate.add(now);
    expect(rate.at(3_000)).toBeCloseTo(25, 0);
    expect(rate.at(4_500)).toBeLessThan(16);
    expect(rate.at(7_000)).toBe(0);
  });
});

describe('messages and addresses', () => {
  it('take what is no message for nothing', () => {
    expect(parseMessage('{"type":"live"}')).toEqual({ type: 'live' });
    for (const text of ['', 'null', '[]', '{"type":1}', '{']) expect(parseMessage(text)).toBeUndefined();
  });

  it('lead to the doors of a stream, slashes and all', () => {
    const location = { protocol: 'https:', host: 'cam.example:8888' };
    expect(doorUrl(location, 'yard/gate 1', 'mse')).toBe('wss://cam.example:8888/yard/gate%201/mse');
  });
});

describe('retryDelay', () => {
  it('grows from under a second to at most ten, with jitter', () => {
    expect(retryDelay(0, 0.5)).toBe(400);
    expect(retryDelay(3, 0)).toBeLessThan(retryDelay(3, 1));
    expect(retryDelay(50, 1)).toBe(10_000);
  });
});
