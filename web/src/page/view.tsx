import type { CSSProperties, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { StreamInfo } from '../api/types.ts';
import type { PlayMode } from '../player/overlay.ts';
import { Panel } from './panel.tsx';
import { reasonWords } from './reason.ts';
import { Stage } from './stage.tsx';
import type { SourceTrouble } from './state-words.ts';
import { Toolbar } from './toolbar.tsx';
import { usePlayer } from './use-player.ts';

interface ViewProps {
  readonly name: string;
  readonly info: StreamInfo | undefined;
  readonly mode: PlayMode;
  readonly onMode: (mode: PlayMode) => void;
}

/** One stream, large: the picture, what can be done with it, and the numbers. */
export function View({ name, info, mode, onMode }: ViewProps): ReactNode {
  const handle = usePlayer(name, mode);
  const video = handle.snapshot?.tracks.find((track) => track.kind === 'video');
  const coded = video?.width && video.height ? video.width / video.height : 16 / 9;
  // Pixels need not be square: only the picture itself knows its shape.
  const ratio = handle.snapshot?.ratio ?? coded;
  const trouble = useTrouble(info);
  return (
    <main className="view">
      <div className="view-main" style={{ '--ratio': ratio } as CSSProperties}>
        <Stage name={name} handle={handle} trouble={trouble} />
        <Toolbar handle={handle} mode={mode} onMode={onMode} />
      </div>
      <Panel info={info} snapshot={handle.snapshot} mode={mode} />
    </main>
  );
}

/** Why the source of a stream that is not there does not run. */
function useTrouble(info: StreamInfo | undefined): SourceTrouble | undefined {
  const { t } = useTranslation();
  const reason = info?.source?.reason;
  if (info?.state === 'live' || reason === undefined) return undefined;
  const words = reasonWords({ reason, code: info?.source?.code }, t);
  return { reason: words, detail: reason, failed: info?.state === 'failed' };
}
