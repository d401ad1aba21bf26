import { type FormEvent, type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { JOB_TYPES, type JobType, useJobActions } from '../api/jobs.ts';
import { JOB_FIELDS, type JobField, jobSettings, type Typed } from './job-form.ts';
import { Refused } from './refused.tsx';
import { useSubmission } from './use-submission.ts';

/** A form for another job. Nothing typed is lost when the server refuses, or another type is chosen. */
export function JobAdd(): ReactNode {
  const { t } = useTranslation();
  const { add } = useJobActions();
  const [name, setName] = useState('');
  const [type, setType] = useState<JobType>('push');
  const [typed, setTyped] = useState<Typed>({});
  const { refusal, busy, submit } = useSubmission();
  const save = (event: FormEvent) => {
    event.preventDefault();
    void submit(
      () => add(name.trim(), jobSettings(type, typed)),
      () => {
        setName('');
        setTyped({});
      },
    );
  };
  return (
    <form className="setup-form" onSubmit={(event) => save(event)} data-testid="job-form">
      <label>
        {t('jobs.name')}
        <input
          value={name}
          onChange={(event) => setName(event.target.value)}
          placeholder="lobby-loop"
          autoComplete="off"
          spellCheck={false}
          required
          data-testid="job-name"
        />
      </label>
      <label>
        {t('jobs.type')}
        <select
          value={type}
          onChange={(event) => setType(JOB_TYPES.find((one) => one === event.target.value) ?? 'push')}
          data-testid="job-type"
        >
          {JOB_TYPES.map((one) => (
            <option key={one} value={one}>
              {t(`jobs.types.${one}`)}
            </option>
          ))}
        </select>
      </label>
      {JOB_FIELDS[type].map((field) => (
        <Field
          key={field.key}
          field={field}
          value={typed[field.key]}
          onChange={(value) => setTyped({ ...typed, [field.key]: value })}
        />
      ))}
      <button type="submit" className="text-button" disabled={busy} data-testid="job-add">
        {t('jobs.add')}
      </button>
      <p className="hint job-hint">{t('jobs.addresses')}</p>
      <Refused refusal={refusal} />
    </form>
  );
}

interface FieldProps {
  readonly field: JobField;
  readonly value: string | boolean | undefined;
  readonly onChange: (value: string | boolean) => void;
}

function Field({ field, value, onChange }: FieldProps): ReactNode {
  const { t } = useTranslation();
  const label = t(`jobs.field.${field.label}`);
  const testId = `job-${field.key}`;
  const text = typeof value === 'string' ? value : '';
  switch (field.kind) {
    case 'yes':
      return (
        <label className="setup-check">
          <input
            type="checkbox"
            checked={value === true}
            onChange={(event) => onChange(event.target.checked)}
            data-testid={testId}
          />
          {label}
        </label>
      );
    case 'choice':
      return (
        <label>
          {label}
          <select
            value={text || field.values[0]}
            onChange={(event) => onChange(event.target.value)}
            data-testid={testId}
          >
            {field.values.map((one) => (
              <option key={one} value={one}>
                {t(`jobs.value.${one}`, { defaultValue: one.toUpperCase() })}
              </option>
            ))}
          </select>
        </label>
      );
    case 'addresses':
      return (
        <label className="setup-wide">
          {label}
          <textarea
            rows={2}
            value={text}
            onChange={(event) => onChange(event.target.value)}
            placeholder={field.example}
            spellCheck={false}
            required
            data-testid={testId}
          />
        </label>
      );
    default:
      return (
        <label className={field.kind === 'address' ? 'setup-wide' : undefined}>
          {label}
          <input
            value={text}
            onChange={(event) => onChange(event.target.value)}
            placeholder={field.example}
            inputMode={field.kind === 'number' ? 'numeric' : undefined}
            autoComplete="off"
            spellCheck={false}
            required={field.kind === 'address'}
            data-testid={testId}
          />
        </label>
      );
  }
}
