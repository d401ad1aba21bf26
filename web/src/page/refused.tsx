import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Refusal } from '../api/configured.ts';
import { reasonWords } from './reason.ts';

/** Why the server did not do what it was asked; nothing where it did. */
export function Refused({ refusal }: { readonly refusal: Refusal | undefined }): ReactNode {
  const { t } = useTranslation();
  if (!refusal) return null;
  return (
    <p role="alert" className="setup-refusal" title={refusal.reason} data-testid="setup-refusal">
      {reasonWords(refusal, t)}
    </p>
  );
}
