import type { TaskSpec } from '#link/messages.ts';
import type { RtmpSettings, RtspSettings, SourceSettings } from '#sources/configured.ts';

/** What a worker is asked to do for a source that is not our own protocol code's. */
export function sourceTask(settings: Exclude<SourceSettings, RtspSettings | RtmpSettings>): TaskSpec {
  const { stream } = settings;
  switch (settings.kind) {
    case 'file': {
      const { path, loop, within } = settings;
      return { kind: 'file-source', stream, path, loop, ...(within ? { within } : {}) };
    }
    case 'network': {
      const { url, restricted, insecure = false } = settings;
      return { kind: 'network-source', stream, url, ...(restricted ? { guard: { insecure } } : {}) };
    }
    case 'test':
      return { kind: 'test-source', stream };
  }
}
