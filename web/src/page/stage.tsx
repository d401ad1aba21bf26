import { type ReactNode, type RefObject, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { PlayerSnapshot } from '../player/snapshot.ts';
import { FullScreen, SoundOff, SoundOn } from './icons.tsx';
import { useKeys } from './keys.ts';
import { type SourceTrouble, stateWords } from './state-words.ts';
import type { PlayerHandle } from './use-player.ts';

interface StageProps {
  readonly name: string;
  readonly handle: PlayerHandle;
  readonly trouble: SourceTrouble | undefined;
  /** Path of the stream's latest keyframe as JPEG, to be seen until there is a picture. */
  readonly poster: string | undefined;
}

/** The picture with its name, its state, and controls that appear when they are looked for. */
export function Stage({ name, handle, trouble, poster }: StageProps): ReactNode {
  const { t } = useTranslation();
  const tile = useRef<HTMLDivElement>(null);
  const { snapshot } = handle;
  const fullScreen = (): void => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void tile.current?.requestFullscreen();
  };
  useKeys({ m: handle.toggleSound, f: fullScreen });
  const words = snapshot && stateWords(snapshot, Date.now(), trouble);
  const playing = snapshot?.latencyMs !== undefined;
  const hasSound = playing && snapshot.tracks.some((track) => track.kind === 'audio');
  const offered = hasSound && handle.soundOffered;
  useFirstClick(tile, offered ? handle.toggleSound : undefined);
  return (
    <div
      ref={tile}
      className="stage"
      data-testid="stage"
      data-phase={snapshot?.phase}
      data-settled={snapshot?.settled}
      data-sound-offered={offered}
    >
      <div ref={handle.host} className="picture" data-testid="player" />
      {snapshot && !snapshot.picture && snapshot.phase === 'connecting' && poster && <Poster path={poster} />}
      <header className="stage-head">
        <span className="stage-name" data-testid="stream-name">
          {name}
        </span>
        {words && (
          <span className="badge" data-testid="state">
            <span className="dot" data-tone={words.tone} />
            {t(words.short, words.shortValues)}
          </span>
        )}
      </header>
      {words?.long && (
        <div
          className="stage-words"
          data-over-picture={words.overPicture}
          role="status"
          data-testid="state-words"
        >
          <p title={trouble?.detail}>{t(words.long, { ...words.longValues })}</p>
          {words.retry && (
            <button type="button" className="button" onClick={() => handle.player?.retry()}>
              {t('state.retry')}
            </button>
          )}
        </div>
      )}
      <div className="stage-controls">
        <button
          type="button"
          className="stage-button"
          aria-label={t('stage.fullScreen')}
          title={`${t('stage.fullScreen')} (F)`}
          onClick={fullScreen}
        >
          <FullScreen />
        </button>
        {hasSound && snapshot && <Sound handle={handle} snapshot={snapshot} />}
      </div>
    </div>
  );
}

/** A stream that plays at once needs no poster: the server is not asked to decode for it. */
const POSTER_AFTER_MS = 600;
const POSTER_WIDTH = 640;

/** The latest keyframe, while the first picture is not there. */
function Poster({ path }: { path: string }): ReactNode {
  const [isDue, setDue] = useState(false);
  const [isThere, setThere] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setDue(true), POSTER_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  if (!isDue) return null;
  return (
    <img
      className="poster"
      src={`${encodeURI(path)}?width=${POSTER_WIDTH}`}
      alt=""
      data-testid="poster"
      data-there={isThere}
      onLoad={() => setThere(true)}
    />
  );
}

interface SoundProps {
  readonly handle: PlayerHandle;
  readonly snapshot: PlayerSnapshot;
}

function Sound({ handle, snapshot }: SoundProps): ReactNode {
  const { t } = useTranslation();
  const { muted, level } = snapshot;
  const words = muted ? t('stage.unmute') : t('stage.mute');
  return (
    <button
      type="button"
      className="stage-button"
      data-persistent={muted}
      aria-label={words}
      aria-pressed={!muted}
      title={`${words} (M)`}
      data-testid="sound"
      onClick={handle.toggleSound}
    >
      {muted ? <SoundOff /> : <SoundOn />}
      {muted && (
        <span className="stage-button-text">
          {t(handle.soundOffered ? 'stage.soundOffered' : 'stage.soundOff')}
        </span>
      )}
      {level !== undefined && (
        <span className="meter" aria-hidden="true">
          <span style={{ transform: `scaleY(${level.toFixed(2)})` }} />
        </span>
      )}
    </button>
  );
}

/** A click on the picture, while there is something for it to do; buttons on the picture keep their own clicks. */
function useFirstClick(tile: RefObject<HTMLElement | null>, action: (() => void) | undefined): void {
  const current = useRef(action);
  current.current = action;
  useEffect(() => {
    const element = tile.current;
    const onClick = ({ target }: MouseEvent): void => {
      if (target instanceof Element && !target.closest('button')) current.current?.();
    };
    element?.addEventListener('click', onClick);
    return () => element?.removeEventListener('click', onClick);
  }, [tile]);
}
