import { expect, it } from 'vitest';
import { maxDelayOf } from './max-delay.ts';

it('how long pictures may be kept is said in whole milliseconds, or not at all', () => {
  const of = (query: string) => maxDelayOf(new URLSearchParams(query));
  expect(['', 'maxDelay=0', 'maxDelay=20', 'maxDelay=40950'].map(of)).toEqual([undefined, 0, 20, 40_950]);
  for (const wrong of ['', '-1', '20ms', '1e3', '40951', '100000', 'NaN']) {
    const refused = expect.objectContaining({ code: 'WEBRTC_MAX_DELAY_INVALID', status: 400 });
    expect(() => of(`maxDelay=${wrong}`)).toThrow(refused);
  }
});
