import { expect, it } from 'vitest';
import { linkHeader } from './ice-servers.ts';

const stun = { urls: ['stun:stun.invalid:3478'] };
const turn = {
  urls: ['turn:turn.invalid?transport=udp', 'turns:turn.invalid'],
  username: 'a"b',
  credential: 'c\\d',
};

it('names each ICE server in a link of its own, with the password for whom it is meant', () => {
  const secret = 'username="a\\"b"; credential="c\\\\d"; credential-type="password"';
  expect(linkHeader([stun, turn], true).link?.split(', ')).toEqual([
    '<stun:stun.invalid:3478>; rel="ice-server"',
    `<turn:turn.invalid?transport=udp>; rel="ice-server"; ${secret}`,
    `<turns:turn.invalid>; rel="ice-server"; ${secret}`,
  ]);
});

it('leaves servers with a password out for everybody else', () => {
  expect(linkHeader([stun, turn], false)).toEqual({ link: '<stun:stun.invalid:3478>; rel="ice-server"' });
  expect(linkHeader([turn], false)).toEqual({});
});
