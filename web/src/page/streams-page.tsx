import { type FormEvent, type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import {
  type ConfiguredStream,
  connectsOnDemand,
  type Refusal,
  useConfigure,
  useConfigured,
} from '../api/configured.ts';
import type { StreamInfo } from '../api/types.ts';
import { reasonWords } from './reason.ts';
import { Refused } from './refused.tsx';
import { StreamEdit } from './stream-edit.tsx';
import { toneOf } from './tone.ts';
import { useSubmission } from './use-submission.ts';

/** The streams of the configuration: how they stand, a form for another one, changing one and taking one out. */
export function StreamsPage({ streams }: { readonly streams: readonly StreamInfo[] }): ReactNode {
  const { t } = useTranslation();
  const configured = useConfigured();
  const list = configured.data ?? [];
  return (
    <main className="setup" data-testid="setup">
      <h1>{t('setup.title')}</h1>
      <AddForm />
      {list.length > 0 && (
        <table className="setup-list">
          <thead>
            <tr>
              <th scope="col">{t('setup.name')}</th>
              <th scope="col">{t('setup.state')}</th>
              <th scope="col">{t('setup.source')}</th>
              <th scope="col">{t('setup.onDemand')}</th>
              <th scope="col">
                <span className="unseen">{t('setup.change')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.map((entry) => (
              <Row key={entry.name} entry={entry} info={streams.find(({ name }) => name === entry.name)} />
            ))}
          </tbody>
        </table>
      )}
      {configured.isSuccess && list.length === 0 && <p className="hint">{t('setup.none')}</p>}
    </main>
  );
}

/** Nothing typed is lost when the server refuses. */
function AddForm(): ReactNode {
  const { t } = useTranslation();
  const { add } = useConfigure();
  const [name, setName] = useState('');
  const [source, setSource] = useState('');
  const [onDemand, setOnDemand] = useState(true);
  const { refusal, busy, submit } = useSubmission();
  const save = (event: FormEvent) => {
    event.preventDefault();
    void submit(
      () => add(name.trim(), { source: source.trim(), onDemand }),
      () => {
        setName('');
        setSource('');
      },
    );
  };
  return (
    <form className="setup-form" onSubmit={(event) => save(event)} data-testid="setup-form">
      <label>
        {t('setup.name')}
        <input
          value={name}
          onChange={(event) => setName(event.target.value)}
          placeholder="yard/gate-1"
          autoComplete="off"
          spellCheck={false}
          required
          data-testid="setup-name"
        />
      </label>
      <label className="setup-wide">
        {t('setup.source')}
        <input
          value={source}
          onChange={(event) => setSource(event.target.value)}
          placeholder="rtsp://user:password@camera:554/stream"
          autoComplete="off"
          spellCheck={false}
          required
          data-testid="setup-source"
        />
      </label>
      <label className="setup-check" title={t('setup.onDemandWhy')}>
        <input type="checkbox" checked={onDemand} onChange={(event) => setOnDemand(event.target.checked)} />
        {t('setup.onDemand')}
      </label>
      <button type="submit" className="text-button" disabled={busy} data-testid="setup-add">
        {t('setup.add')}
      </button>
      <Refused refusal={refusal} />
    </form>
  );
}

function Row({ entry, info }: { entry: ConfiguredStream; info: StreamInfo | undefined }): ReactNode {
  const { t } = useTranslation();
  const { source } = entry.settings;
  const onDemand = connectsOnDemand(entry);
  const [isEdited, setEdited] = useState(false);
  const state = info?.state ?? 'idle';
  const { reason, code } = info?.source ?? {};
  if (isEdited) {
    return (
      <tr data-testid={`setup-row-${entry.name}`} data-state={state}>
        <th scope="row">{entry.name}</th>
        <td colSpan={4}>
          <StreamEdit entry={entry} onDone={() => setEdited(false)} />
        </td>
      </tr>
    );
  }
  return (
    <tr data-testid={`setup-row-${entry.name}`} data-state={state}>
      <th scope="row">{entry.name}</th>
      <td>
        {entry.pattern ? (
          t('setup.pattern')
        ) : (
          <span className="setup-state" title={reason}>
            <span className="dot" data-tone={toneOf(state)} />
            {t(`streamState.${state}`, { defaultValue: state })}
            {reason !== undefined && <span className="setup-why">{reasonWords({ reason, code }, t)}</span>}
          </span>
        )}
      </td>
      <td className="setup-source">{source ?? t('setup.published')}</td>
      <td data-label={t('setup.onDemand')}>
        {source !== undefined && t(onDemand ? 'setup.yes' : 'setup.no')}
      </td>
      <td className="setup-act">
        <button
          type="button"
          className="text-button"
          aria-label={t('setup.editName', { name: entry.name })}
          data-testid={`setup-edit-${entry.name}`}
          onClick={() => setEdited(true)}
        >
          {t('setup.edit')}
        </button>
        <Delete name={entry.name} readers={info?.readers.length ?? 0} />
      </td>
    </tr>
  );
}

/** Asks once, and says whom it cuts off. */
function Delete({ name, readers }: { readonly name: string; readonly readers: number }): ReactNode {
  const { t } = useTranslation();
  const { remove } = useConfigure();
  const [asking, setAsking] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  if (!asking) {
    return (
      <>
        <button
          type="button"
          className="text-button"
          aria-label={t('setup.deleteName', { name })}
          data-testid={`setup-delete-${name}`}
          onClick={() => setAsking(true)}
        >
          {t('setup.delete')}
        </button>
        <Refused refusal={refusal} />
      </>
    );
  }
  const go = async () => {
    try {
      setRefusal(await remove(name));
    } catch {
      setRefusal({ reason: t('rail.offline') });
    } finally {
      setAsking(false);
    }
  };
  return (
    <span className="setup-ask" role="group" aria-label={t('setup.deleteName', { name })}>
      {readers > 0 && t('setup.cutsOff', { readers })}
      <button
        type="button"
        className="text-button danger"
        data-testid={`setup-confirm-${name}`}
        onClick={() => void go()}
      >
        {t('setup.deleteNow')}
      </button>
      <button type="button" className="text-button" onClick={() => setAsking(false)}>
        {t('setup.keep')}
      </button>
    </span>
  );
}
