import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useConfigured } from '../api/configured.ts';
import { useJobs } from '../api/jobs.ts';
import { logOut, useHealth, useSession } from '../api/queries.ts';
import type { StreamInfo } from '../api/types.ts';
import { type Language, setLanguage } from '../language.ts';
import { codecName } from '../player/codec-support.ts';
import { currentTheme, setTheme, type Theme } from '../theme.ts';
import { Arrows, Gate, Moon, Sliders, Sun } from './icons.tsx';
import { KeysHelp } from './keys-help.tsx';
import { reasonWords } from './reason.ts';
import { toneOf } from './tone.ts';
import type { UrlState } from './url-state.ts';

interface RailProps {
  readonly streams: readonly StreamInfo[];
  readonly chosen: string | undefined;
  readonly connected: boolean;
  readonly loaded: boolean;
  readonly onChoose: (stream: string) => void;
  /** What is shown instead of a stream. */
  readonly view: UrlState['view'];
  readonly onView: (view: NonNullable<UrlState['view']>) => void;
}

/** The left rail: what can be watched, and the few settings of the page. */
export function Rail(props: RailProps): ReactNode {
  const { streams: all, chosen, connected, loaded, onChoose, view, onView } = props;
  const { t } = useTranslation();
  const streams = all.filter(({ job }) => job === undefined);
  const ofJobs = all.filter(({ job }) => job !== undefined);
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
      {ofJobs.length > 0 && (
        <details className="job-streams" open={ofJobs.some(({ name }) => name === chosen)}>
          <summary data-testid="job-streams">
            {t('rail.jobStreams')} <span className="count">{ofJobs.length}</span>
          </summary>
          <ul className="streams">
            {ofJobs.map((stream) => (
              <StreamItem
                key={stream.name}
                stream={stream}
                chosen={stream.name === chosen}
                onChoose={onChoose}
              />
            ))}
          </ul>
        </details>
      )}
      <ViewLinks view={view} onView={onView} />
      {!connected && (
        <p className="offline" role="status" data-testid="offline">
          {t('rail.offline')}
        </p>
      )}
      <RailFoot />
    </nav>
  );
}

/** For who may change at least one stream of the configuration, or a job, or add one. */
function ViewLinks({ view, onView }: Pick<RailProps, 'view' | 'onView'>): ReactNode {
  const manages = useSession().data?.manage === true;
  const streams = (useConfigured().data ?? []).length > 0;
  const jobs = (useJobs().data ?? []).length > 0;
  return (
    <>
      {(manages || streams) && <ViewLink to="streams" label="setup" view={view} onView={onView} />}
      {(manages || jobs) && <ViewLink to="jobs" label="jobs" view={view} onView={onView} />}
    </>
  );
}

interface ViewLinkProps extends Pick<RailProps, 'view' | 'onView'> {
  readonly to: NonNullable<UrlState['view']>;
  readonly label: 'setup' | 'jobs';
}

function ViewLink({ to, label, view, onView }: ViewLinkProps): ReactNode {
  const { t } = useTranslation();
  return (
    <a
      className="stream setup-link"
      href={`/?view=${to}`}
      aria-current={view === to ? 'page' : undefined}
      data-testid={`open-${label}`}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        onView(to);
      }}
    >
      {to === 'jobs' ? <Arrows /> : <Sliders />}
      <span className="stream-name">{t(`${label}.open`)}</span>
    </a>
  );
}

interface StreamItemProps {
  readonly stream: StreamInfo;
  /** Its place among those that have a key of their own. */
  readonly index?: number;
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
        title={why ?? (index !== undefined && index < 9 ? t('rail.key', { key: index + 1 }) : undefined)}
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
