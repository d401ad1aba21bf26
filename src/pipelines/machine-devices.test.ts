import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { lookAtLinux } from './machine-devices.ts';

it('lists what Linux has by its files: cameras without their further nodes, microphones, displays', async () => {
  const root = await mkdtemp(join(tmpdir(), 'sluice-machine-'));
  const files: Record<string, string> = {
    ...{ 'dev/video10': '', 'dev/video2': '', 'dev/video3': '', 'dev/null': '' },
    'sys/class/video4linux/video2/name': 'UVC Camera\n',
    'sys/class/video4linux/video2/index': '0\n',
    'sys/class/video4linux/video3/name': 'UVC Camera\n',
    'sys/class/video4linux/video3/index': '1\n',
    'proc/asound/pcm':
      '00-00: ALC257 Analog : ALC257 Analog : playback 1 : capture 1\n00-03: HDMI 0 : HDMI 0 : playback 1\n02-01: USB Audio : USB Audio : capture 1\n',
    'tmp/.X11-unix/X1': '',
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  expect(await lookAtLinux(root)).toEqual({
    cameras: [
      { id: '/dev/video2', label: 'UVC Camera' },
      { id: '/dev/video10', label: 'video10' },
    ],
    microphones: [
      { id: 'hw:0,0', label: 'ALC257 Analog' },
      { id: 'hw:2,1', label: 'USB Audio' },
    ],
    displays: [':1'],
  });
  await rm(root, { recursive: true });
  expect(await lookAtLinux(root)).toEqual({ cameras: [], microphones: [], displays: [] });
});
