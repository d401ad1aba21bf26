import { describe, expect, it } from 'vitest';
import { AccessRefusal } from '#util/access-refusal.ts';
import { credentialsOf, refusalHeaders } from './http-credentials.ts';

const of = (headers: { authorization?: string; cookie?: string }, query = '') =>
  credentialsOf(headers, new URLSearchParams(query));
const basic = `Basic ${Buffer.from('anna:secret').toString('base64')}`;

describe('credentials over HTTP', () => {
  it('come in a header, in the address, or in the cookie of the page', () => {
    const anna = { kind: 'password', user: 'anna', password: 'secret' };
    expect(of({ authorization: basic })).toEqual(anna);
    expect(of({ authorization: 'Bearer abc' })).toEqual({ kind: 'token', token: 'abc' });
    expect(of({}, 'token=abc')).toEqual({ kind: 'token', token: 'abc' });
    expect(of({}, 'user=anna&pass=secret')).toEqual(anna);
    expect(of({ cookie: 'theme=dark; sluice_session=xyz' })).toEqual({ kind: 'session', session: 'xyz' });
    const both = 'sluice_session=plain; __Host-sluice_session=secure';
    expect(of({ cookie: both })).toEqual({ kind: 'session', session: 'secure' });
    expect(of({})).toEqual({ kind: 'none' });
  });

  it('count one at a time: what the header says stands before all else, also when it is broken', () => {
    const cookie = 'sluice_session=xyz';
    expect(of({ authorization: 'Bearer abc', cookie }, 'token=other')).toEqual({
      kind: 'token',
      token: 'abc',
    });
    expect(of({ authorization: 'Basic ###', cookie }, 'token=abc')).toEqual({ kind: 'none' });
    expect(of({ cookie }, 'token=abc')).toEqual({ kind: 'token', token: 'abc' });
    expect(of({ cookie }, 'token=&user=')).toEqual({ kind: 'session', session: 'xyz' });
  });

  it('are nothing where a cookie is empty, another one, or far too long', () => {
    for (const cookie of [
      'sluice_session=',
      'sluice_sessions=a',
      `a=${'b'.repeat(9000)}; sluice_session=x`,
    ]) {
      expect(of({ cookie }), cookie.slice(0, 30)).toEqual({ kind: 'none' });
    }
    expect(of({}, `token=${'a'.repeat(9000)}`)).toEqual({ kind: 'none' });
  });
});

describe('a refusal over HTTP', () => {
  it('asks players for a password, and leaves a page to show its own form', () => {
    const refusal = new AccessRefusal('ACCESS_UNAUTHENTICATED', 'Who are you?', 401);
    expect(refusalHeaders(refusal, {})).toEqual({
      'WWW-Authenticate': 'Basic realm="Sluice", charset="UTF-8"',
    });
    expect(refusalHeaders(refusal, { 'sec-fetch-mode': 'cors' })).toEqual({
      'WWW-Authenticate': 'Bearer realm="Sluice"',
    });
  });

  it('says when to come back, and nothing where neither helps', () => {
    const wait = new AccessRefusal('ACCESS_THROTTLED', 'Wait.', 429, { retryAfterSeconds: 8 });
    expect(refusalHeaders(wait, {})).toEqual({ 'Retry-After': '8' });
    expect(refusalHeaders(new AccessRefusal('ACCESS_FORBIDDEN', 'No.', 403), {})).toEqual({});
    expect(refusalHeaders(new Error('x'), {})).toEqual({});
  });
});
