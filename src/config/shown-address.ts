import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';

const MASK = '***';
/** Scheme and credentials of an address. */
const CREDENTIALS = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)@/i;

/** An address as an answer of the API shows it: `***` stands where a secret is, so that it can be sent back. */
export function showAddress(address: string): string {
  const shown = maskAddress(address);
  if (!CREDENTIALS.test(address) || CREDENTIALS.test(shown)) return shown;
  return shown.replace(/^([a-z][a-z0-9+.-]*:\/\/)/i, `$1${MASK}@`);
}

/**
 * The address that somebody means who was shown one: what is stored, where it was sent back as it was shown; with the
 * stored credentials, where another path of the same server was asked for. They go to no other server.
 * @throws NamedError SECRET_MISSING where `***` stands for a secret that there is not, or that belongs elsewhere
 */
export function meantAddress(given: string, stored: string | undefined): string {
  if (stored !== undefined && given === showAddress(stored)) return stored;
  const [, scheme, user] = CREDENTIALS.exec(given) ?? [];
  let meant = given;
  if (stored !== undefined && user === MASK && serverOf(given) === serverOf(stored)) {
    const kept = CREDENTIALS.exec(stored)?.[2];
    if (kept !== undefined) meant = given.replace(CREDENTIALS, () => `${scheme}${kept}@`);
  }
  const rest = meant.replace(CREDENTIALS, (whole, _scheme, kept) => (kept === MASK ? whole : ''));
  if (!rest.includes(MASK)) return meant;
  throw new NamedError(
    'SECRET_MISSING',
    `"source" has ${MASK} where a secret was, and is another address than the one that is stored, so nobody knows the secret. Write the secret itself, or send the address back as it was shown.`,
  );
}

/** Scheme, host and port. */
function serverOf(address: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(address.replace(CREDENTIALS, '$1'))?.[0].toLowerCase();
}
