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
 * @param key what the address is of, for the error
 * @throws NamedError SECRET_MISSING where `***` stands for a secret that there is not, or that belongs elsewhere
 */
export function meantAddress(given: string, stored: string | undefined, key: string): string {
  if (stored !== undefined && given === showAddress(stored)) return stored;
  const [, scheme, user] = CREDENTIALS.exec(given) ?? [];
  let meant = given;
  if (stored !== undefined && user === MASK && serverOf(given) === serverOf(stored)) {
    const kept = CREDENTIALS.exec(stored)?.[2];
    if (kept !== undefined) meant = given.replace(CREDENTIALS, () => `${scheme}${kept}@`);
  }
  const rest = meant.replace(CREDENTIALS, (whole, _scheme, kept) => (kept === MASK ? whole : ''));
  if (!rest.includes(MASK)) return meant;
  throw secretMissing(key);
}

/**
 * The same for a list: each is the stored one that is shown so, else, with its credentials, one of the same server.
 * @throws NamedError SECRET_MISSING, also where more than one secret may be meant
 */
export function meantAddresses(given: readonly string[], stored: readonly string[], key: string): string[] {
  return given.map((one, at) => {
    const itemKey = `${key}[${at}]`;
    const alike = stored.filter((other) => showAddress(other) === one);
    if (alike.length > 0) {
      const asked = given.filter((other) => other === one);
      // Of two that look the same, one that is left over may be either.
      if (asked.length !== alike.length) {
        if (one.includes(MASK)) throw secretMissing(itemKey);
        return one;
      }
      const before = given.slice(0, at).filter((other) => other === one);
      return alike[before.length] ?? one;
    }
    const near = stored.filter((other) => CREDENTIALS.test(other) && serverOf(other) === serverOf(one));
    const meant = near.map((other) => meantAddress(one, other, itemKey));
    if (new Set(meant).size > 1) throw secretMissing(itemKey);
    return meant[0] ?? meantAddress(one, undefined, itemKey);
  });
}

function secretMissing(key: string): NamedError {
  return new NamedError(
    'SECRET_MISSING',
    `"${key}" has ${MASK} where a secret was, and is no address that is stored, so nobody knows which secret is meant. Write the secret itself, or send the address back as it was shown.`,
  );
}

/** Scheme, host and port. */
function serverOf(address: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(address.replace(CREDENTIALS, '$1'))?.[0].toLowerCase();
}
