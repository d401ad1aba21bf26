import { type RefObject, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import type { PlayMode } from '#algorithms/overlay/boxes.ts';
import type { Via } from '../player/ladder.ts';
import { Player } from '../player/player.ts';
import type { PlayerSnapshot } from '../player/snapshot.ts';
import type { StreamStatus } from '../player/source.ts';
import { remember, remembered } from '../remembered.ts';

/** A player in a host element, for as long as the component shows this stream. */
export interface PlayerHandle {
  readonly host: RefObject<HTMLDivElement | null>;
  readonly player: Player | undefined;
  readonly snapshot: PlayerSnapshot | undefined;
  /** Sound waits for a first click: nobody chose on or off for this stream yet, or the browser wants a click. */
  readonly soundOffered: boolean;
  toggleSound(): void;
}

export interface PlayerWishes {
  readonly mode: PlayMode;
  readonly via: Via;
  readonly status: StreamStatus | undefined;
}

export function usePlayer(stream: string, { mode, via, status }: PlayerWishes): PlayerHandle {
  const host = useRef<HTMLDivElement>(null);
  const [player, setPlayer] = useState<Player>();
  const [soundChosen, setSoundChosen] = useState(() => remembered(`sound:${stream}`) !== undefined);
  const { t, i18n } = useTranslation();
  const first = useRef({ mode, via });
  first.current = { mode, via };

  useEffect(() => {
    if (!host.current) return;
    const created = new Player(host.current, {
      stream,
      ...first.current,
      muted: remembered(`sound:${stream}`) !== 'on',
    });
    setPlayer(created);
    return () => {
      created.close();
      setPlayer(undefined);
    };
  }, [stream]);

  useEffect(() => {
    if (player) player.mode = mode;
  }, [player, mode]);

  useEffect(() => {
    if (player) player.via = via;
  }, [player, via]);

  useEffect(() => {
    if (player && status) player.status = status;
  }, [player, status]);

  useEffect(() => {
    if (player) player.label = (label) => t(`labels.${label}`, { defaultValue: label });
  }, [player, t, i18n.language]);

  const snapshot = useSyncExternalStore(player?.subscribe ?? nothing, () => player?.snapshot);
  return {
    host,
    player,
    snapshot,
    soundOffered: snapshot?.muted === true && (!soundChosen || snapshot.soundBlocked),
    toggleSound: () => {
      if (!player) return;
      player.muted = !player.muted;
      remember(`sound:${stream}`, player.muted ? 'off' : 'on');
      setSoundChosen(true);
    },
  };
}

const nothing = (): (() => void) => () => undefined;
