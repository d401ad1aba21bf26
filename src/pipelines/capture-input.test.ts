import { describe, expect, it } from 'vitest';
import { captureInputs } from './capture-input.ts';
import type { Machine } from './machine-devices.ts';

const machine = (platform: NodeJS.Platform, more: Partial<Machine> = {}): Machine => ({
  platform,
  display: ':0',
  displays: [':0'],
  cameras: [
    { id: '/dev/video0', label: 'UVC Camera' },
    { id: '/dev/video2', label: 'Other' },
  ],
  microphones: [{ id: 'hw:1,0', label: 'USB Audio' }],
  ...more,
});
const region = { width: 640, height: 360, x: 10, y: 20 };

describe('on Linux', () => {
  const linux = machine('linux');

  it('a desktop is taken by x11grab, with the sound of the first microphone where there is one', () => {
    expect(captureInputs({ kind: 'desktop', fps: 30, region }, linux)).toMatchObject({
      video: {
        format: 'x11grab',
        url: ':0',
        options: { framerate: 30, video_size: '640x360', grab_x: 10, grab_y: 20 },
      },
      audio: { format: 'alsa', url: 'hw:1,0', options: { sample_rate: 48_000 } },
      soundIsExtra: true,
    });
    const mute = captureInputs({ kind: 'desktop', which: '5', sound: 'none' }, linux);
    expect(mute).toMatchObject({ video: { url: ':5', options: { framerate: 25 } } });
    expect(mute).not.toHaveProperty('audio');
    expect(captureInputs({ kind: 'desktop' }, machine('linux', { microphones: [] }))).not.toHaveProperty(
      'audio',
    );
    expect(captureInputs({ kind: 'desktop', which: 'far:1.0' }, linux).video?.url).toBe('far:1.0');
  });

  it('cameras and microphones are found by number, by name, and by what the system calls them', () => {
    const url = (which?: string) =>
      captureInputs({ kind: 'camera', ...(which === undefined ? {} : { which }) }, linux).video?.url;
    expect([url(), url('1'), url('Other'), url('/dev/video9')]).toEqual([
      ...['/dev/video0', '/dev/video2', '/dev/video2', '/dev/video9'],
    ]);
    const size = { width: 1280, height: 720 };
    expect(captureInputs({ kind: 'camera', fps: 30, size, sound: '0' }, linux)).toMatchObject({
      video: { format: 'v4l2', options: { framerate: 30, video_size: '1280x720', timestamps: 'abs' } },
      audio: { url: 'hw:1,0' },
      soundIsExtra: false,
    });
    expect(captureInputs({ kind: 'microphone', which: 'hw:3,1' }, linux).audio?.url).toBe('hw:3,1');
  });

  it('what is not there is said with what is', () => {
    expect(() => captureInputs({ kind: 'camera', which: '2' }, linux)).toThrow(
      'There is no camera "2" on this machine. There are: camera:0 (UVC Camera), camera:1 (Other).',
    );
    expect(() => captureInputs({ kind: 'microphone' }, machine('linux', { microphones: [] }))).toThrow(
      'There is no microphone "0" on this machine. Sluice sees none: check that it is plugged in',
    );
    const nowhere = machine('linux', { display: undefined, displays: [':1'] });
    expect(() => captureInputs({ kind: 'desktop' }, nowhere)).toThrow(
      'DISPLAY is not set. Name one of those there are: desktop:1.',
    );
  });
});

it('on Windows gdigrab takes the desktop, and DirectShow the rest', () => {
  const windows = machine('win32', {
    cameras: [{ id: '@device_pnp_1', label: 'Webcam' }],
    microphones: [{ id: '@device_cm_1', label: 'Mic' }],
  });
  expect(captureInputs({ kind: 'desktop', region, sound: '0' }, windows)).toMatchObject({
    video: {
      format: 'gdigrab',
      url: 'desktop',
      options: { offset_x: 10, offset_y: 20, video_size: '640x360' },
    },
    audio: { format: 'dshow', url: 'audio=@device_cm_1' },
  });
  const camera = captureInputs({ kind: 'camera', which: 'Webcam' }, windows);
  expect(camera.video).toMatchObject({ format: 'dshow', url: 'video=@device_pnp_1' });
});

it('on macOS AVFoundation takes all of it, and of a desktop the whole', () => {
  const mac = machine('darwin', {
    cameras: [{ id: 'FaceTime', label: 'FaceTime HD' }],
    microphones: [{ id: 'BuiltIn', label: 'Built-in' }],
  });
  expect(captureInputs({ kind: 'desktop', fps: 30 }, mac)).toMatchObject({
    video: { format: 'avfoundation', url: 'Capture screen 0:none', options: { framerate: 30 } },
    audio: { format: 'avfoundation', url: 'none:BuiltIn' },
  });
  expect(captureInputs({ kind: 'camera' }, mac).video?.url).toBe('FaceTime:none');
  expect(() => captureInputs({ kind: 'desktop', region }, mac)).toThrow('gives the whole of it');
});
