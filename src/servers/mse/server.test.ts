import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { foreignOrigin } from './server.ts';

const from = (headers: Record<string, string>) => foreignOrigin({ headers } as unknown as IncomingMessage);

describe('the origin of a page', () => {
  test('may be the host that it asks, with whatever scheme stands before it', () => {
    expect(from({ origin: 'http://127.0.0.1:8888', host: '127.0.0.1:8888' })).toBeUndefined();
    expect(from({ origin: 'https://cam.example', host: 'Cam.Example' })).toBeUndefined();
    expect(from({ origin: 'http://[::1]:8888', host: '[::1]:8888' })).toBeUndefined();
  });

  test('may be missing: programs that are no browser send none', () => {
    expect(from({ host: '127.0.0.1:8888' })).toBeUndefined();
  });

  test('may not be another host, another port, or hidden', () => {
    expect(from({ origin: 'https://evil.example', host: '127.0.0.1:8888' })).toBe('https://evil.example');
    expect(from({ origin: 'http://127.0.0.1:3000', host: '127.0.0.1:8888' })).toBe('http://127.0.0.1:3000');
    expect(from({ origin: 'null', host: '127.0.0.1:8888' })).toBe('null');
    expect(from({ origin: 'file://', host: '127.0.0.1:8888' })).toBe('file://');
  });
});
