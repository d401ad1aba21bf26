import { type ReactNode, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { useKeys } from './keys.ts';

const keys = ['m', 'f', 's', 'd', '1–9', '?'] as const;

/** The keys of the page, on `?` and on a button. */
export function KeysHelp(): ReactNode {
  const { t } = useTranslation();
  const dialog = useRef<HTMLDialogElement>(null);
  const toggle = (): void => {
    if (dialog.current?.open) dialog.current.close();
    else dialog.current?.showModal();
  };
  useKeys({ '?': toggle });
  return (
    <>
      <button
        type="button"
        className="icon-button"
        aria-label={t('keys.open')}
        title={`${t('keys.open')} (?)`}
        data-testid="keys"
        onClick={toggle}
      >
        ?
      </button>
      <dialog ref={dialog} className="keys" aria-label={t('keys.title')}>
        <h2>{t('keys.title')}</h2>
        <dl>
          {keys.map((key) => (
            <div key={key} className="fact">
              <dt>
                <kbd>{key.toUpperCase()}</kbd>
              </dt>
              <dd>{t(`keys.${key}`)}</dd>
            </div>
          ))}
        </dl>
        <button type="button" className="button" onClick={toggle}>
          {t('keys.close')}
        </button>
      </dialog>
    </>
  );
}
