import { expect, it } from 'vitest';
import { deviceTrouble, isDevice, parseDevice, withDeviceWishes } from './device-address.ts';
import { streamSchema } from './stream-schema.ts';

it('reads devices with what is asked of them', () => {
  expect(parseDevice('desktop')).toEqual({ kind: 'desktop' });
  expect(parseDevice('desktop:1?fps=30&region=640x360+10+20&audio=none')).toEqual({
    ...{ kind: 'desktop', which: '1', fps: 30, sound: 'none' },
    region: { width: 640, height: 360, x: 10, y: 20 },
  });
  expect(parseDevice('desktop?region=640x360')?.region).toEqual({ width: 640, height: 360, x: 0, y: 0 });
  expect(parseDevice('camera:Logitech C920?size=1280x720&audio=USB%20Audio')).toEqual({
    ...{ kind: 'camera', which: 'Logitech C920', size: { width: 1280, height: 720 }, sound: 'USB Audio' },
  });
  expect(parseDevice('microphone:hw:1,0')).toEqual({ kind: 'microphone', which: 'hw:1,0' });
});

it('knows what is none', () => {
  for (const address of ['./desktop', 'desktop.mp4', 'cameras', 'rtsp://camera/1', 'microphone/1'])
    expect(isDevice(address), address).toBe(false);
});

it('says what cannot be asked', () => {
  expect(deviceTrouble('desktop?fps=0')).toBe('must have as "fps" a whole number from 1 to 120');
  expect(deviceTrouble('camera:0?region=1x1')).toBe(
    'must not ask camera for "region": it can be asked for fps, size, audio',
  );
  expect(deviceTrouble('microphone:0?fps=3')).toContain('nothing can be asked of it');
  expect(streamSchema.safeParse({ source: 'desktop?region=3' }).error?.issues[0]?.message).toContain(
    'WIDTHxHEIGHT+X+Y',
  );
  expect(streamSchema.safeParse({ source: 'camera:0' }).success).toBe(true);
});

it('adds a wish, or puts another in its place', () => {
  expect(withDeviceWishes('desktop?fps=5', { fps: '30', region: undefined, audio: 'none' })).toBe(
    'desktop?fps=30&audio=none',
  );
  expect(withDeviceWishes('camera:0', {})).toBe('camera:0');
});
