import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Refusal } from '../api/configured.ts';

export interface Submission {
  /** Why the server did not take what was sent last. */
  readonly refusal: Refusal | undefined;
  /** Its answer is not there yet. */
  readonly busy: boolean;
  /** @param onTaken the server has it: only now may what was typed go */
  readonly submit: (send: () => Promise<Refusal | undefined>, onTaken: () => void) => Promise<void>;
}

/** What a form does with what was typed: it stays until the server has taken it, also where the server is away. */
export function useSubmission(): Submission {
  const { t } = useTranslation();
  const [refusal, setRefusal] = useState<Refusal>();
  const [busy, setBusy] = useState(false);
  const submit: Submission['submit'] = async (send, onTaken) => {
    setBusy(true);
    try {
      const refused = await send();
      setRefusal(refused);
      if (!refused) onTaken();
    } catch {
      setRefusal({ reason: t('rail.offline') });
    } finally {
      setBusy(false);
    }
  };
  return { refusal, busy, submit };
}
