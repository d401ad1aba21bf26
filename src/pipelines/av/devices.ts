import { Device } from 'node-av/lib';

/** A camera or a microphone, as FFmpeg calls it when it opens it. */
export interface SystemDevice {
  readonly type: 'video' | 'audio';
  readonly id: string;
  readonly label: string;
}

/** What AVFoundation (macOS) and DirectShow (Windows) have. */
export async function systemDevices(): Promise<SystemDevice[]> {
  const found = await Device.list();
  return found.flatMap(({ type, name, description }) =>
    type === 'screen' ? [] : [{ type, id: name, label: description || name }],
  );
}
