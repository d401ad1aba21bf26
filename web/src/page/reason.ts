import type { TFunction } from 'i18next';

/** Why something on the server does not run: its sentence, and the code that docs/errors.md explains. */
export interface Reason {
  readonly reason: string;
  readonly code?: string | undefined;
}

/** The reason in the language of the page; the server's own sentence, which is English, where its code is not known. */
export function reasonWords({ reason, code }: Reason, t: TFunction): string {
  return code === undefined ? reason : t(`reason.${code}`, { defaultValue: reason });
}
