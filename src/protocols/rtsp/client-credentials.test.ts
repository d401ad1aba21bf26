import { describe, expect, test } from 'vitest';
import { good, talk } from '../../../test/support/rtsp-client.ts';
import type { RtspRequest } from './message.ts';

describe('the credentials of a client', () => {
  const digest = (nonce: string, more = '') =>
    `RTSP/1.0 401 Unauthorized\nCSEQ\nWWW-Authenticate: Digest realm="c", nonce="${nonce}", qop="auth"${more}\n\n`;
  const nonceOf = ({ headers }: RtspRequest) => /nonce="(\w+)"/.exec(headers.get('authorization') ?? '')?.[1];
  const countOf = ({ headers }: RtspRequest) => /nc=(\w+)/.exec(headers.get('authorization') ?? '')?.[1];
  const url = 'rtsp://u:p@cam/live';

  test('go with every request after the challenge, counted', () => {
    const { asked, outcome } = talk((request) => (nonceOf(request) ? good(request) : digest('n1')), { url });
    expect(outcome.playing).toBe(true);
    expect(asked.map((request) => countOf(request))).toEqual([
      undefined,
      '00000001',
      '00000002',
      '00000003',
      '00000004',
    ]);
  });

  test.each(['', ', stale=true'])('answer a nonce that has run out in the midst (%s)', (stale) => {
    let nonce = 'n1';
    const { play, asked, outcome, lines } = talk(
      (request) => (nonceOf(request) === nonce ? good(request) : digest(nonce, stale)),
      { url },
    );
    nonce = 'n2';
    play(40);
    expect(outcome.error).toBeUndefined();
    expect(lines().slice(-2)).toEqual(Array(2).fill('GET_PARAMETER rtsp://cam/live/'));
    expect(nonceOf(asked.at(-1)!)).toBe('n2');
  });

  test('that are wrong are tried once, also where each refusal has a new nonce', () => {
    const { asked, outcome } = talk((_request, n) => digest(`n${n}`), { url });
    expect(outcome.error).toMatchObject({ code: 'RTSP_UNAUTHORIZED' });
    expect(outcome.error?.message).toContain('Check the user and the password');
    expect(asked).toHaveLength(2);
  });

  test('use SHA-256 where both are offered', () => {
    const both =
      'RTSP/1.0 401 Unauthorized\nCSEQ\nWWW-Authenticate: Digest realm="c", nonce="a"\nWWW-Authenticate: Digest realm="c", nonce="b", algorithm=SHA-256\n\n';
    const { asked, outcome } = talk((request) => (nonceOf(request) ? good(request) : both), { url });
    expect(outcome.playing).toBe(true);
    expect(asked[1]!.headers.get('authorization')).toMatch(/algorithm=SHA-256/);
    expect(asked[1]!.headers.get('authorization')).toMatch(/response="[0-9a-f]{64}"/);
  });
});
