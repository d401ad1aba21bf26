import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Refusal } from '../api/configured.ts';
import { type JobInfo, useJobActions, useJobs } from '../api/jobs.ts';
import { formatBytes, formatFps, formatSpan } from './format.ts';
import { JobAdd } from './job-add.tsx';
import { Refused } from './refused.tsx';

/** The jobs of the server: how they go, what can be done with each, and a form for another one. */
export function JobsPage(): ReactNode {
  const { t } = useTranslation();
  const jobs = useJobs();
  const list = jobs.data ?? [];
  return (
    <main className="setup" data-testid="jobs">
      <h1>{t('jobs.title')}</h1>
      <JobAdd />
      <ul className="job-list">
        {list.map((job) => (
          <Job key={job.name} job={job} />
        ))}
      </ul>
      {jobs.isSuccess && list.length === 0 && <p className="hint">{t('jobs.none')}</p>}
    </main>
  );
}

function Job({ job }: { readonly job: JobInfo }): ReactNode {
  const { t } = useTranslation();
  const { name, type, state, reason, code } = job;
  return (
    <li className="job" data-testid={`job-${name}`} data-state={state}>
      <div className="job-head">
        <h2>{name}</h2>
        <span className="note">{t(`jobs.types.${type}`)}</span>
        <span className="setup-state">
          <span className="dot" data-tone={TONES[state]} />
          {t(`jobs.state.${state}`)}
        </span>
        <Actions job={job} />
      </div>
      {reason !== undefined && (
        <p className="job-why" title={reason} data-testid={`job-why-${name}`}>
          {code === undefined ? reason : t(`jobs.reason.${code}`, { defaultValue: reason })}
        </p>
      )}
      <Ways job={job} />
      <Progress job={job} />
      <Log job={job} />
    </li>
  );
}

const TONES = {
  running: 'good',
  failed: 'bad',
  waiting: 'warning',
  starting: 'off',
  stopped: 'off',
} as const;

/** Where it comes from and goes to, each with how that does. */
function Ways({ job: { inputs, outputs } }: { readonly job: JobInfo }): ReactNode {
  const { t } = useTranslation();
  return (
    <dl className="job-ways">
      {[
        ...inputs.map((part) => ({ part, way: 'from' })),
        ...outputs.map((part) => ({ part, way: 'to' })),
      ].map(({ part, way }) => (
        <div key={`${way} ${part.url}`} title={part.reason}>
          <dt>{t(`jobs.${way}`)}</dt>
          <dd>
            <span className="dot" data-tone={toneOfPart(part.state)} />
            {part.url}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function toneOfPart(state: string): 'good' | 'bad' | 'warning' | 'off' {
  if (state === 'running') return 'good';
  if (state === 'failed') return 'bad';
  return state === 'waiting' ? 'warning' : 'off';
}

function Progress({ job: { progress, state } }: { readonly job: JobInfo }): ReactNode {
  const { t } = useTranslation();
  const { timeMs, durationMs, speed, fps, bitRate, drops, bytesSent } = progress;
  if (timeMs === 0 && bytesSent === 0) return null;
  const facts = [
    durationMs === undefined
      ? formatSpan(timeMs, t)
      : t('jobs.of', { time: formatSpan(timeMs, t), duration: formatSpan(durationMs, t) }),
    // Nothing is known of the pace in the first moment.
    ...(state === 'running' && bitRate > 0
      ? [
          `${speed.toFixed(2)}×`,
          ...(fps > 0 ? [t('jobs.fps', { fps: formatFps(fps) })] : []),
          `${(bitRate / 1000).toFixed(0)} kbit/s`,
        ]
      : []),
    t('jobs.sent', { bytes: formatBytes(bytesSent) }),
    ...(drops > 0 ? [t('jobs.drops', { drops })] : []),
  ];
  return (
    <div className="job-progress">
      {durationMs !== undefined && state === 'running' && (
        <progress max={durationMs} value={Math.min(timeMs, durationMs)} aria-label={t('jobs.progress')} />
      )}
      <span>{facts.join(' · ')}</span>
    </div>
  );
}

function Log({ job: { log, name } }: { readonly job: JobInfo }): ReactNode {
  const { t, i18n } = useTranslation();
  if (log.length === 0) return null;
  const time = new Intl.DateTimeFormat(i18n.language, { timeStyle: 'medium' });
  return (
    <details className="job-log">
      <summary data-testid={`job-log-${name}`}>{t('jobs.log')}</summary>
      <ol>
        {log.slice(-8).map((line) => (
          <li key={`${line.time} ${line.message}`} data-level={line.level}>
            <time dateTime={line.time}>{time.format(new Date(line.time))}</time> {line.message}
          </li>
        ))}
      </ol>
    </details>
  );
}

/** Deleting asks once. */
function Actions({ job: { name, state } }: { readonly job: JobInfo }): ReactNode {
  const { t } = useTranslation();
  const { start, stop, remove } = useJobActions();
  const [asking, setAsking] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const act = async (action: (name: string) => Promise<Refusal | undefined>) => {
    try {
      setRefusal(await action(name));
    } catch {
      setRefusal({ reason: t('rail.offline') });
    } finally {
      setAsking(false);
    }
  };
  const rests = state === 'stopped' || state === 'failed';
  const button = (label: string, testId: string, onClick: () => void, className = 'text-button') => (
    <button
      type="button"
      className={className}
      aria-label={t(`jobs.${label}Name`, { name })}
      data-testid={`${testId}-${name}`}
      onClick={onClick}
    >
      {t(`jobs.${label}`)}
    </button>
  );
  return (
    <span className="setup-ask job-act">
      {asking ? (
        <>
          {button('deleteNow', 'job-confirm', () => void act(remove), 'text-button danger')}
          <button type="button" className="text-button" onClick={() => setAsking(false)}>
            {t('setup.keep')}
          </button>
        </>
      ) : (
        <>
          {rests
            ? button('start', 'job-start', () => void act(start))
            : button('stop', 'job-stop', () => void act(stop))}
          {button('delete', 'job-delete', () => setAsking(true))}
        </>
      )}
      <Refused refusal={refusal} />
    </span>
  );
}
