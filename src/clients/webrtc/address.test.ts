import { describe, expect, it } from 'vitest';
import { parseWebRtcAddress } from './address.ts';

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

describe('an address of WHIP or WHEP', () => {
  it.each([
    ['whep://host/a/whep', { host: 'host', port: 80, secure: false, path: '/a/whep' }],
    ['WHEPS://host:8443/a?x=1', { port: 8443, secure: true, path: '/a?x=1' }],
    ['https://[2001:db8::1]/whep', { host: '2001:db8::1', port: 443, secure: true }],
    ['http://tok%2Fen@host/whep', { authorization: 'Bearer tok/en', shown: 'http://host/whep' }],
    ['http://user:p%40ss@host/whep', { authorization: basic('user:p@ss'), shown: 'http://host/whep' }],
    [
      'http://host/whep?token=abc',
      { authorization: 'Bearer abc', path: '/whep', shown: 'http://host/whep?token=***' },
    ],
    ['http://host/whep?a=1&token=abc&b=2', { authorization: 'Bearer abc', path: '/whep?a=1&b=2' }],
    ['http://host/whep', { authorization: undefined }],
  ])('is read: %s', (address, expected) => {
    expect(parseWebRtcAddress(address, 'whep')).toMatchObject(expected);
  });

  it.each(['whip://host/a', 'rtsp://host/a', 'whep://', 'nonsense'])('is refused: %s', (address) => {
    expect(() => parseWebRtcAddress(address, 'whep')).toThrow(
      expect.objectContaining({ code: 'WEBRTC_ADDRESS_INVALID' }),
    );
  });
});
