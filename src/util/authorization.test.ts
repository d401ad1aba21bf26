import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAuthorization } from './authorization.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('an Authorization header', () => {
  it('carries a user and a password, which may have colons', () => {
    expect(parseAuthorization(basic('anna:a:b'))).toEqual({ scheme: 'basic', user: 'anna', password: 'a:b' });
    expect(parseAuthorization(basic('门卫:密码'))).toEqual({
      scheme: 'basic',
      user: '门卫',
      password: '密码',
    });
    expect(parseAuthorization('bAsIc   OmE=')).toEqual({ scheme: 'basic', user: '', password: 'a' });
  });

  it('carries a bearer token', () => {
    expect(parseAuthorization('Bearer a.b-c_d~e+/=')).toEqual({ scheme: 'bearer', token: 'a.b-c_d~e+/=' });
  });

  it('carries a digest with quoted and bare parameters (RFC 7616 section 3.9.1)', () => {
    const header =
      'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256, ' +
      'nc=00000001, qop=auth, cnonce="f2\\"wE",opaque=""';
    expect(parseAuthorization(header)).toEqual({
      scheme: 'digest',
      parameters: {
        username: 'Mufasa',
        realm: 'http-auth@example.org',
        uri: '/dir/index.html',
        algorithm: 'SHA-256',
        nc: '00000001',
        qop: 'auth',
        cnonce: 'f2"wE',
        opaque: '',
      },
    });
  });

  it.each([
    '',
    'Basic',
    'Basic ###',
    basic('no colon'),
    'Bearer a b',
    'Bearer',
    'Negotiate abc',
    'Digest ',
    'Digest username',
    'Digest username="a',
    'Digest username="a" realm="b"',
    'Digest username="a", username="b"',
    `Digest ${Array.from({ length: 40 }, (_, index) => `p${index}=1`).join(',')}`,
    `Bearer ${'a'.repeat(9000)}`,
  ])('says nothing where it breaks the rules: %j', (header) => {
    expect(parseAuthorization(header)).toBeUndefined();
  });

  it('gives back every user and password that Basic can carry', () => {
    const user = fc.string({ unit: 'grapheme', maxLength: 50 }).filter((text) => !text.includes(':'));
    const password = fc.string({ unit: 'grapheme', maxLength: 50 });
    fc.assert(
      fc.property(user, password, (name, secret) => {
        expect(parseAuthorization(basic(`${name}:${secret}`))).toEqual({
          scheme: 'basic',
          user: name,
          password: secret,
        });
      }),
    );
  });
});
