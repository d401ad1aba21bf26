import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type ConfiguredStream, connectsOnDemand, useConfigure } from '../api/configured.ts';
import { Refused } from './refused.tsx';
import { useSubmission } from './use-submission.ts';

export interface StreamEditProps {
  /** As the server has it now: it may become another one while it is edited. */
  readonly entry: ConfiguredStream;
  /** It was saved, or is to stay as it is. */
  readonly onDone: () => void;
}

/**
 * Changes an entry in its place. Only what was changed is sent, so that all else of it stays; where somebody else changed it
 * meanwhile, that is shown first, and saving again is meant.
 */
export function StreamEdit({ entry, onDone }: StreamEditProps): ReactNode {
  const { t } = useTranslation();
  const { change } = useConfigure();
  const [begun] = useState(entry);
  const before = begun.settings.source ?? '';
  const [source, setSource] = useState(before);
  const [onDemand, setOnDemand] = useState(connectsOnDemand(begun));
  const { refusal, busy, submit } = useSubmission();
  const field = useRef<HTMLInputElement>(null);
  // In the place of the button by which it was asked for.
  useEffect(() => field.current?.focus(), []);
  const isTold = refusal?.code === 'STREAM_CHANGED';
  const save = (event: FormEvent) => {
    event.preventDefault();
    const wanted = source.trim();
    const settings = {
      ...(wanted !== before && { source: wanted === '' ? null : wanted }),
      ...(onDemand !== connectsOnDemand(begun) && { onDemand }),
    };
    if (Object.keys(settings).length === 0) return onDone();
    void submit(() => change(isTold ? entry : begun, settings), onDone);
  };
  return (
    <form className="setup-form setup-edit" onSubmit={(event) => save(event)} data-testid="setup-edit">
      <label className="setup-wide">
        {t('setup.source')}
        <input
          value={source}
          onChange={(event) => setSource(event.target.value)}
          placeholder={t('setup.published')}
          autoComplete="off"
          spellCheck={false}
          ref={field}
          data-testid="setup-edit-source"
        />
      </label>
      <label className="setup-check" title={t('setup.onDemandWhy')}>
        <input
          type="checkbox"
          checked={onDemand}
          onChange={(event) => setOnDemand(event.target.checked)}
          data-testid="setup-edit-on-demand"
        />
        {t('setup.onDemand')}
      </label>
      <button type="submit" className="text-button" disabled={busy} data-testid="setup-save">
        {t('setup.save')}
      </button>
      <button type="button" className="text-button" onClick={onDone} data-testid="setup-cancel">
        {t('setup.cancel')}
      </button>
      <Refused refusal={refusal} />
      {isTold && (
        <p className="setup-why" data-testid="setup-now">
          {t('setup.isNow', { source: entry.settings.source ?? t('setup.published') })}
        </p>
      )}
    </form>
  );
}
