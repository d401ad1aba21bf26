import type { TaskSpec } from '#link/messages.ts';
import type { RtmpSettings, RtspSettings, SourceSettings, WhepSettings } from '#sources/configured.ts';

/** What a worker is asked to do for a source, or a second one, that is not our own protocol code's. */
export function sourceTask(
  settings: Exclude<SourceSettings, RtspSettings | RtmpSettings | WhepSettings>,
  part?: 'fill',
): TaskSpec {
  const where = { stream: settings.stream, ...(part ? { part } : {}) };
  switch (settings.kind) {
    case 'file': {
      const { path, loop, within } = settings;
      return { ...where, kind: 'file-source', path, loop, ...(within ? { within } : {}) };
    }
    case 'network': {
      const { url, restricted, trust } = settings;
      const guard = restricted ? { guard: true as const } : {};
      return { ...where, kind: 'network-source', url, ...guard, ...(trust ? { trust } : {}) };
    }
    case 'test':
      return { ...where, kind: 'test-source' };
    case 'device': {
      const { device, address, restricted } = settings;
      return { ...where, kind: 'device-source', device, address, ...(restricted ? { forbidden: true } : {}) };
    }
  }
}
