import { expect, test } from 'vitest';
import { findDoor, type HttpDoors } from './http-doors.ts';

const doors: HttpDoors = {
  files: { 'index.m3u8': () => {}, whep: () => {} },
  folders: { hls: () => {}, whep: () => {} },
};

test('the last segment of a path names the door, and what stands before it the stream', () => {
  const found = findDoor('/yard/gate-1/index.m3u8?token=a%20b', doors);
  expect(found?.door).toBe(doors.files['index.m3u8']);
  expect(found?.target).toMatchObject({ stream: 'yard/gate-1', rest: '' });
  expect(found?.target.query.get('token')).toBe('a b');
});

test('below a folder stands what the door calls its own', () => {
  expect(findDoor('/cam/hls/part%207.m4s', doors)?.target).toMatchObject({
    stream: 'cam',
    rest: 'part 7.m4s',
  });
  expect(findDoor('/cam/whep/1a2b', doors)).toMatchObject({ door: doors.folders['whep'] });
});

test('other paths, names that no stream can have and broken escapes are left to the API', () => {
  for (const path of [
    '/',
    '/index.m3u8',
    '/api/streams',
    '/api/index.m3u8',
    '/cam/other',
    '/%zz/whep',
    '/a//whep',
  ])
    expect(findDoor(path, doors), path).toBeUndefined();
});
