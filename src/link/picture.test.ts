import { expect, test } from 'vitest';
import { decodePicture, encodePicture } from './picture.ts';

const picture = {
  task: 'täsk-7',
  epoch: 3,
  pts: 2 ** 52 + 1,
  ntp: 1_700_000_000_000.125,
  width: 640,
  height: 360,
  jpeg: Buffer.from('ffd8010203ffd9', 'hex'),
};

test('a picture crosses the link with its exact times', () => {
  expect(decodePicture(encodePicture(picture))).toEqual(picture);
});

test('a picture that an algorithm gave back is known as such', () => {
  const given = { ...picture, byAlgorithm: true } as const;
  expect(decodePicture(encodePicture(given))).toEqual(given);
});

test('a picture that is cut off, or no JPEG, or has no time, is none', () => {
  const whole = encodePicture(picture);
  for (let length = 0; length < whole.length; length++) {
    expect(decodePicture(whole.subarray(0, length))).toBeUndefined();
  }
  expect(decodePicture(encodePicture({ ...picture, pts: Number.NaN }))).toBeUndefined();
  expect(decodePicture(encodePicture({ ...picture, ntp: Number.POSITIVE_INFINITY }))).toBeUndefined();
  expect(decodePicture(encodePicture({ ...picture, jpeg: Buffer.from('GIF89a') }))).toBeUndefined();
});
