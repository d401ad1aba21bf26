import { expect, it } from 'vitest';
import { withoutCredentials } from './logger.ts';

it('masks the credentials of an address in a log line', () => {
  expect(withoutCredentials('cannot reach rtsp://admin:s3cret@10.0.0.7:554/live')).toBe(
    'cannot reach rtsp://***@10.0.0.7:554/live',
  );
  expect(withoutCredentials('mail to a@b.example is no address of a stream')).toContain('a@b.example');
});
