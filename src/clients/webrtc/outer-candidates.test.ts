import { expect, it } from 'vitest';
import type { WebRtcAnswer } from '#protocols/sdp/webrtc-offer.ts';
import { withOuterCandidates } from './outer-candidates.ts';

it('of the addresses that a server names for its media, those of this machine, its cable and its cloud are let go', () => {
  const addresses = [
    '10.0.0.4',
    '127.0.0.1',
    '169.254.169.254',
    'fe80::1',
    '::ffff:127.0.0.1',
    '0.0.0.0',
    'fd00::1',
  ];
  const candidates = addresses.map((address) => ({ address, port: 1, protocol: 'udp' as const }));
  const answer = { isPassive: true, candidates } as unknown as WebRtcAnswer;
  const { candidates: left, isPassive } = withOuterCandidates(answer);
  expect(left.map(({ address }) => address)).toEqual(['10.0.0.4', 'fd00::1']);
  expect(isPassive).toBe(true);
});
