import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useConfigured } from '../api/configured.ts';
import { logOut, useHealth, useSession } from '../api/queries.ts';
import type { StreamInfo } from '../api/types.ts';
import { type Language, setLanguage } from '../language.ts';
import { codecName } from '../player/codec-support.ts';
import { currentTheme, setTheme, type Theme } from '../theme.ts';
import { Gate, Moon, Sliders, Sun } from './icons.tsx';
import { KeysHelp } from './keys-help.tsx';
import { reasonWords } from './reason.ts';
import { toneOf } from './tone.ts';

interface RailProps {
  readonly streams: readonly StreamInfo[];
  readonly chosen: string | undefined;
  readonly connected: boolean;
  readonly loaded: boolean;
  readonly onChoose: (stream: string) => void;
  /** The streams of the configuration are shown. */
  readonly inSetup: boolean;
  readonly onSetup: () => void;
}

/** The left rail: what can be watched, and the few settings of the page. */
export function Rail(props: RailProps): ReactNode {
  const { streams, chosen, connected, loaded, onChoose, inSetup, onSetup } = props;
  const { t } = useTranslation();
  return (
    <nav className="rail" aria-label={t('rail.label')}>
      <div className="brand">
        <Gate />
        <span>Sluice</span>
      </div>
      <h2 className="rail-title">
        {t('rail.streams')}
        <span className="count" data-testid="stream-count">
          {streams.length}
        </span>
      </h2>
      <ul className="streams" data-testid="streams">
        {streams.map((stream, i) => (
          <StreamItem
            key={stream.name}
            stream={stream}
            index={i}
            chosen={stream.name === chosen}
            onChoose={onChoose}
          />
        ))}
        {loaded && streams.length === 0 && <li className="hint">{t('rail.none')}</li>}
      </ul>
      <SetupLink shown={inSetup} onSetup={onSetup} />
      {!connected && (
        <p className="offline" role="status" data-testid="offline">
          {t('rail.offline')}
        </p>
      )}
      <RailFoot />
    </nav>
  );
}

/** For who may change at least one stream of the configuration, or add one. */
function SetupLink({ shown, onSetup }: { readonly shown: boolean; readonly onSetup: () => void }): ReactNode {
  const { t } = useTranslation();
  const manages = useSession().data?.manage === true;
  const some = (useConfigured().data ?? []).length > 0;
  if (!manages && !some) return null;
  return (
    <a
      className="stream setup-link"
      href="/?view=streams"
      aria-current={shown ? 'page' : undefined}
      data-testid="open-setup"
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        onSetup();
      }}
    >
      <Sliders />
      <span className="stream-name">{t('setup.open')}</span>
    </a>
  );
}

interface StreamItemProps {
  readonly stream: StreamInfo;
  readonly index: number;
  readonly chosen: boolean;
  readonly onChoose: (stream: string) => void;
}

function StreamItem({ stream, index, chosen, onChoose }: StreamItemProps): ReactNode {
  const { t } = useTranslation();
  const href = `/?stream=${encodeURIComponent(stream.name)}`;
  const { reason, code } = stream.source ?? {};
  const words = reason === undefined ? undefined : reasonWords({ reason, code }, t);
  const why = words === reason ? words : `${words}\n${reason}`;
  return (
    <li>
      <a
        className="stream"
        href={href}
        aria-current={chosen ? 'page' : undefined}
        data-testid={`stream-${stream.name}`}
        data-state={stream.state}
        title={why ?? (index < 9 ? t('rail.key', { key: index + 1 }) : undefined)}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
          event.preventDefault();
          onChoose(stream.name);
        }}
      >
        <span className="dot" data-tone={toneOf(stream.state)} />
        <span className="stream-name">{stream.name}</span>
        <span className="stream-meta">
          {t(`streamState.${stream.state}`, { defaultValue: stream.state })}
          {stream.tracks.length > 0 && ` · ${describe(stream)}`}
        </span>
      </a>
    </li>
  );
}

/** `H.264 576p`; the sound's codec where there is no picture. */
function describe(stream: StreamInfo): string {
  const track = stream.tracks.find(({ kind }) => kind === 'video') ?? stream.tracks[0];
  if (!track) return '';
  return `${codecName(track.codec)}${track.height ? ` ${track.height}p` : ''}`;
}

function RailFoot(): ReactNode {
  const { t, i18n } = useTranslation();
  const health = useHealth();
  const user = useSession().data?.user;
  const [theme, choose] = useState<Theme>(currentTheme());
  const other: Theme = theme === 'dark' ? 'light' : 'dark';
  return (
    <div className="rail-foot">
      <div className="segmented small" role="group" aria-label={t('rail.language')}>
        {(
          [
            ['en', 'EN'],
            ['zh-CN', '中文'],
          ] as const satisfies readonly [Language, string][]
        ).map(([language, name]) => (
          <button
            key={language}
            type="button"
            lang={language}
            aria-pressed={i18n.language === language}
            data-testid={`language-${language}`}
            onClick={() => setLanguage(language)}
          >
            {name}
          </button>
        ))}
      </div>
      <button
        type="button"
        className="icon-button"
        aria-label={t(`rail.theme.${other}`)}
        title={t(`rail.theme.${other}`)}
        data-testid="theme"
        onClick={() => {
          setTheme(other);
          choose(other);
        }}
      >
        {theme === 'dark' ? <Sun /> : <Moon />}
      </button>
      <KeysHelp />
      {user !== undefined && (
        <button type="button" className="text-button" data-testid="log-out" onClick={() => void logOut()}>
          {t('login.out', { user })}
        </button>
      )}
      <span className="version">{health.data?.version}</span>
    </div>
  );
}
