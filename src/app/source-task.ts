import type { TaskSpec } from '#link/messages.ts';
import type { RtspSettings, SourceSettings, WhepSettings } from '#sources/configured.ts';

/** What a worker is asked to do for a source that is not our own protocol code's. */
export function sourceTask(settings: Exclude<SourceSettings, RtspSettings | WhepSettings>): TaskSpec {
  const { stream } = settings;
  switch (settings.kind) {
    case 'file':
      return { kind: 'file-source', stream, path: settings.path, loop: settings.loop };
    case 'network':
      return { kind: 'network-source', stream, url: settings.url };
    case 'test':
      return { kind: 'test-source', stream };
  }
}
