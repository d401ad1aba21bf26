import type { ReactNode } from 'react';
import type { StreamInfo } from '../api/types.ts';
import type { PlayMode } from '../player/overlay.ts';
import { Panel } from './panel.tsx';
import { Stage } from './stage.tsx';
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
  return (
    <main className="view">
      <div className="view-main">
        <Stage name={name} handle={handle} />
        <Toolbar handle={handle} mode={mode} onMode={onMode} />
      </div>
      <Panel info={info} snapshot={handle.snapshot} mode={mode} />
    </main>
  );
}
