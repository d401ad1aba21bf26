import { type FormEvent, type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { logIn } from '../api/queries.ts';
import { Gate } from './icons.tsx';
import { reasonWords } from './reason.ts';

/** What is shown until the server knows who looks. */
export function Login(): ReactNode {
  const { t } = useTranslation();
  const [refusal, setRefusal] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => {
      const value = form.get(name);
      return typeof value === 'string' ? value : '';
    };
    setBusy(true);
    try {
      const why = await logIn(field('user'), field('password'));
      // Everything of the page begins anew, its sockets too.
      if (why === undefined) location.reload();
      else setRefusal(reasonWords(why, t));
    } catch {
      setRefusal(t('rail.offline'));
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="empty whole" data-testid="login">
      <div className="brand">
        <Gate />
        <span>Sluice</span>
      </div>
      <h1>{t('login.title')}</h1>
      <form className="login" onSubmit={(event) => void submit(event)}>
        <label>
          {t('login.user')}
          <input name="user" autoComplete="username" required data-testid="login-user" />
        </label>
        <label>
          {t('login.password')}
          <input
            name="password"
            type="password"
            autoComplete="current-password"
            required
            data-testid="login-password"
          />
        </label>
        {refusal !== undefined && (
          <p role="alert" data-testid="login-refusal">
            {refusal}
          </p>
        )}
        <button type="submit" className="button primary" disabled={busy} data-testid="login-submit">
          {t('login.submit')}
        </button>
      </form>
    </main>
  );
}
