import { type CSSProperties, type ReactNode, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { PlayMode } from '#algorithms/overlay/boxes.ts';
import type { StreamInfo } from '../api/types.ts';
import { RUNGS, type Via } from '../player/ladder.ts';
import type { StreamStatus } from '../player/source.ts';
import { remember, remembered } from '../remembered.ts';
import { Panel } from './panel.tsx';
import { reasonWords } from './reason.ts';
import { Stage } from './stage.tsx';
import type { SourceTrouble } from './state-words.ts';
import { streamStatus } from './stream-status.ts';
import { Toolbar } from './toolbar.tsx';
import { usePlayer } from './use-player.ts';

interface ViewProps {
  readonly name: string;
  readonly info: StreamInfo | undefined;
  readonly mode: PlayMode;
  readonly onMode: (mode: PlayMode) => void;
  /** As the address has it. */
  readonly via: Via | undefined;
  readonly onVia: (via: Via | undefined) => void;
}

/** One stream, large: the picture, what can be done with it, and the numbers. */
export function View({ name, info, mode, onMode, via: asked, onVia }: ViewProps): ReactNode {
  const [chosen, setChosen] = useState(() => rememberedVia(name));
  const via = asked ?? chosen;
  const choose = (next: Via): void => {
    remember(`via:${name}`, next);
    setChosen(next);
    // What is as by default does not stand in the address.
    onVia(next === 'auto' ? undefined : next);
  };
  const handle = usePlayer(name, { mode, via, status: useStatus(info) });
  // Not every way says what is coded; the API does.
  const tracks = [...(handle.snapshot?.tracks ?? []), ...(info?.tracks ?? [])];
  const video = tracks.find((track) => track.kind === 'video' && track.width);
  const coded = video?.width && video.height ? video.width / video.height : 16 / 9;
  // Pixels need not be square: only the picture itself knows its shape.
  const ratio = handle.snapshot?.ratio ?? coded;
  const trouble = useTrouble(info);
  return (
    <main className="view">
      <div className="view-main" style={{ '--ratio': ratio } as CSSProperties}>
        <Stage name={name} handle={handle} trouble={trouble} poster={info?.snapshot} />
        <Toolbar handle={handle} mode={mode} onMode={onMode} via={via} onVia={choose} />
      </div>
      <Panel info={info} snapshot={handle.snapshot} mode={mode} />
    </main>
  );
}

function rememberedVia(stream: string): Via {
  const before = remembered(`via:${stream}`);
  return RUNGS.find((rung) => rung === before) ?? 'auto';
}

/** What the player is to know of what the API says; the same object while it says the same. */
function useStatus(info: StreamInfo | undefined): StreamStatus | undefined {
  const text = info && JSON.stringify(streamStatus(info));
  return useMemo(() => (text === undefined ? undefined : (JSON.parse(text) as StreamStatus)), [text]);
}

/** Why the source of a stream that is not there does not run. */
function useTrouble(info: StreamInfo | undefined): SourceTrouble | undefined {
  const { t } = useTranslation();
  const reason = info?.source?.reason;
  if (info?.state === 'live' || reason === undefined) return undefined;
  const words = reasonWords({ reason, code: info?.source?.code }, t);
  return { reason: words, detail: reason, failed: info?.state === 'failed' };
}
