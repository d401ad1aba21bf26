import { AccessRefusal } from '#util/access-refusal.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { DigestChallenges, REALM } from './digest.ts';
import { HookUnavailable } from './hook.ts';
import { type AuthSettings, Identities } from './identities.ts';
import { KeysUnavailable } from './jwt.ts';
import { Links } from './links.ts';
import { CheckerBusy, PasswordChecker } from './password-checker.ts';
import { SecretKey } from './secrets.ts';
import { Sessions } from './sessions.ts';
import { type Attempt, Throttle } from './throttle.ts';
import type { AccessRequest, Action, Credentials, Principal } from './words.ts';

/** Argon2 of nothing, at our own cost: an unknown name takes as long as a wrong password. */
const NOBODY =
  '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

const REVOKED = 'The users of the server changed, and this is not allowed any more.';

/** Somebody was let in, and is watched for as long as they stay. */
interface Grant {
  /** Whether they would be let in now, as the same. */
  readonly holds: () => boolean;
  readonly revoke: (reason: string) => void;
}

/** Who somebody is, and whether they still are. */
interface Known {
  readonly user: string | undefined;
  readonly principal: () => Principal | undefined;
}

type Verdict = Known | 'wrong' | 'stale' | 'expired';

/** Who was let in; see `hub/access.ts`. */
interface Identity {
  readonly user: string | undefined;
  readonly onRevoked: (callback: (reason: string) => void) => () => void;
}

/**
 * Decides who may do what. Without users, tokens, `jwt` and `authHook` everybody may do everything; with any of them
 * everything that no permission names is refused.
 */
export class AccessControl {
  readonly #clock: Clock;
  readonly #throttle: Throttle;
  readonly #passwords: PasswordChecker;
  readonly #digest: DigestChallenges;
  readonly #sessions: Sessions;
  readonly #links: Links;
  readonly #key = new SecretKey();
  readonly #grants = new Set<Grant>();
  #identities: Identities;

  constructor(settings: AuthSettings, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#throttle = new Throttle(clock);
    this.#passwords = new PasswordChecker(clock);
    this.#digest = new DigestChallenges(clock);
    this.#sessions = new Sessions(clock);
    this.#links = new Links(new SecretKey(), clock);
    this.#identities = new Identities(settings, clock);
  }

  /** False: everybody may do everything. */
  get enabled(): boolean {
    return this.#identities.any;
  }

  /** Goes on with other users. Who was let in and would not be any more is told so. */
  configure(settings: AuthSettings): void {
    this.#identities = new Identities(settings, this.#clock, this.#identities);
    for (const grant of this.#grants) {
      if (grant.holds()) continue;
      this.#grants.delete(grant);
      grant.revoke(REVOKED);
    }
  }

  /** @throws AccessRefusal ACCESS_UNAUTHENTICATED, ACCESS_FORBIDDEN, ACCESS_THROTTLED, ACCESS_UNDECIDED */
  async check(request: AccessRequest): Promise<Identity> {
    const { action, stream } = request;
    const anybody = () => this.#identities.anybody?.permits(action, stream) === true;
    if (!this.enabled) return this.#admit(undefined, () => !this.enabled || anybody());
    if (request.credentials.kind === 'none') {
      if (anybody()) return this.#admit(undefined, () => !this.enabled || anybody());
      throw this.#unauthenticated(request, 'wrong');
    }
    const known = await this.#identify(request);
    if (typeof known === 'string') throw this.#unauthenticated(request, known);
    const may = () => known.principal()?.permits(action, stream) === true || anybody();
    if (!may()) throw forbidden(known.user, action, stream);
    return this.#admit(known.user, () => !this.enabled || may());
  }

  /**
   * Whether a user may, who was let in by `check` before; for lists, of which each sees their own part.
   * @throws AccessRefusal as `check` does, but for ACCESS_FORBIDDEN
   */
  async permissionsOf(
    request: Pick<AccessRequest, 'door' | 'remote' | 'credentials'>,
  ): Promise<Identity & { readonly permits: (action: Action, stream: string) => boolean }> {
    const isOpen = () => !this.enabled || this.#identities.anybody !== undefined;
    if (!this.enabled) return { ...this.#admit(undefined, isOpen), permits: () => true };
    const { anybody } = this.#identities;
    const open = (action: Action, stream: string) => anybody?.permits(action, stream) === true;
    const whole = { ...request, action: 'read', stream: '' } as const;
    if (request.credentials.kind === 'none') {
      if (anybody) return { ...this.#admit(undefined, isOpen), permits: open };
      throw this.#unauthenticated(whole, 'wrong');
    }
    const known = await this.#identify(whole);
    if (typeof known === 'string') throw this.#unauthenticated(whole, known);
    const principal = known.principal();
    return {
      ...this.#admit(known.user, () => isOpen() || known.principal() !== undefined),
      permits: (action, stream) => principal?.permits(action, stream) === true || open(action, stream),
    };
  }

  /**
   * Begins a session of the page; gives its id.
   * @throws AccessRefusal as `check` does
   */
  async login(user: string, password: string, remote: string): Promise<string> {
    const credentials = { kind: 'password', user, password } as const;
    const request: AccessRequest = { action: 'read', stream: '', door: 'page', remote, credentials };
    const stored = this.#identities.users.get(user)?.password;
    const known = await this.#identify(request);
    if (typeof known === 'string' || stored === undefined) throw this.#unauthenticated(request, 'wrong');
    return this.#sessions.begin(user, stored);
  }

  logout(session: string): void {
    this.#sessions.end(session);
  }

  /** A token that lets whoever has it do this with one stream until then. */
  link(stream: string, actions: readonly Action[], expires: number, by: string | undefined): string {
    return this.#links.sign({ stream, actions, expires, by: by ?? 'anybody' });
  }

  #admit(user: string | undefined, holds: () => boolean): Identity {
    return {
      user,
      onRevoked: (callback) => {
        const grant: Grant = { holds, revoke: callback };
        this.#grants.add(grant);
        // Since they were let in, a slow body was read, or a stream waited for: the users may have changed meanwhile. Later,
        // so that who asks has what they need to end it.
        queueMicrotask(() => {
          if (!holds() && this.#grants.delete(grant)) callback(REVOKED);
        });
        return () => this.#grants.delete(grant);
      },
    };
  }

  async #identify(request: AccessRequest): Promise<Verdict> {
    const { credentials, remote } = request;
    // What is hard to guess is not slowed down, nor held against anybody: cookies and links run out all the time.
    if (credentials.kind === 'session') return this.#bySession(credentials.session);
    const attempt = { address: remote, ...this.#shownBy(credentials) };
    this.#mustNotWait(attempt);
    let verdict: Verdict;
    try {
      verdict = await this.#judge(request, credentials, attempt);
    } catch (error) {
      throw undecided(error);
    }
    if (verdict === 'wrong') this.#throttle.failed(attempt);
    else if (typeof verdict !== 'string') this.#throttle.succeeded(attempt);
    return verdict;
  }

  /** What is guessed at, where it is a guess, and what stands for the whole of it. */
  #shownBy(credentials: Credentials): { who: string; shown: string } {
    switch (credentials.kind) {
      case 'password': {
        const { user, password } = credentials;
        return { who: `user ${user}`, shown: `password ${this.#key.seal(user, password)}` };
      }
      case 'digest':
        // It is another one each time, so the name has to do.
        return { who: `user ${credentials.user}`, shown: `digest ${credentials.user}` };
      default: {
        // Guesses are other tokens each time, which only their address has in common.
        const token = `token ${this.#key.seal('token' in credentials ? credentials.token : '')}`;
        return { who: token, shown: token };
      }
    }
  }

  async #judge(request: AccessRequest, credentials: Credentials, attempt: Attempt): Promise<Verdict> {
    switch (credentials.kind) {
      case 'password':
        return this.#byPassword(request, credentials.user, credentials.password, attempt);
      case 'digest':
        return this.#byDigest(credentials, request.remote);
      case 'token':
        return this.#byToken(request, credentials.token);
      default:
        return 'wrong';
    }
  }

  async #byPassword(
    request: AccessRequest,
    name: string,
    password: string,
    attempt: Attempt,
  ): Promise<Verdict> {
    const identities = this.#identities;
    const user = identities.users.get(name);
    const stored = user?.password;
    if (stored === undefined && identities.hook) return this.#byHook(request, name);
    const hashes = [...identities.users.values()].some(({ hashed }) => hashed);
    const begin = () => this.#mustNotWait(attempt);
    const right =
      stored === undefined || user?.hashed
        ? (stored !== undefined || hashes) && (await this.#passwords.check(stored ?? NOBODY, password, begin))
        : this.#key.equal(stored, password);
    return right && stored !== undefined ? this.#user(name, stored) : 'wrong';
  }

  #byDigest(credentials: Credentials & { kind: 'digest' }, remote: string): Verdict {
    const { user: name, method, parameters } = credentials;
    const user = this.#identities.users.get(name);
    // A name that is not there is judged as one that is, by a password that nobody knows.
    const known = user?.password !== undefined && !user.hashed;
    const password = known && user.password !== undefined ? user.password : this.#key.seal(name);
    const verdict = this.#digest.verify({ ...parameters, username: name }, method, password, remote);
    if (verdict !== 'right') return verdict;
    return known ? this.#user(name, password) : 'wrong';
  }

  async #byToken(request: AccessRequest, token: string): Promise<Verdict> {
    const identities = this.#identities;
    // All are compared, so that the time does not tell which one was nearly right.
    const [found] = identities.tokens.filter((one) => this.#key.equal(one.token, token));
    if (found) {
      const now = () => this.#identities.tokens.find((one) => this.#key.equal(one.token, token));
      return { user: found.principal.name, principal: () => now()?.principal };
    }
    const link = this.#links.read(token);
    if (link === 'expired') return 'expired';
    if (link) return { user: link.principal.name, principal: () => link.principal };
    const { jwt } = identities;
    const bearer = await jwt?.read(token);
    if (bearer === 'expired') return 'expired';
    if (bearer) {
      // Permissions stand in the token; they last as long as we believe who signed it.
      return { user: bearer.name, principal: () => (this.#identities.jwt === jwt ? bearer : undefined) };
    }
    return identities.hook ? this.#byHook(request, 'a bearer of a token') : 'wrong';
  }

  /** The service decides about one question, so what it permits is nothing but that. */
  async #byHook(request: AccessRequest, name: string): Promise<Verdict> {
    const { hook } = this.#identities;
    if (!hook || !(await hook.allows(request))) return 'wrong';
    const principal: Principal = {
      name,
      permits: (action, stream) => action === request.action && stream === request.stream,
    };
    return { user: name, principal: () => (this.#identities.hook === hook ? principal : undefined) };
  }

  #bySession(id: string): Verdict {
    const user = this.#sessions.use(id, (name) => this.#identities.users.get(name)?.password);
    const stored = user === undefined ? undefined : this.#identities.users.get(user)?.password;
    return user === undefined || stored === undefined ? 'expired' : this.#user(user, stored);
  }

  /** A user is the same for as long as the password is. */
  #user(name: string, password: string): Known {
    return {
      user: name,
      principal: () => {
        const now = this.#identities.users.get(name);
        return now?.password === password ? now.principal : undefined;
      },
    };
  }

  #mustNotWait(attempt: Attempt): void {
    const seconds = Math.ceil(this.#throttle.waitMs(attempt) / 1000);
    if (seconds === 0) return;
    throw new AccessRefusal(
      'ACCESS_THROTTLED',
      `Too many wrong passwords or tokens came from this address. Try again in ${seconds} s.`,
      429,
      { retryAfterSeconds: seconds },
    );
  }

  #unauthenticated(
    { remote, action, stream }: AccessRequest,
    why: 'wrong' | 'stale' | 'expired',
  ): AccessRefusal {
    const basic = `Basic realm="${REALM}", charset="UTF-8"`;
    const digest = this.#identities.digestible ? this.#digest.challenges(remote, why === 'stale') : [];
    const what = describe(action, stream);
    const sentence =
      why === 'expired'
        ? `What was shown to be let in has run out. Log in again, or ask for another link, to ${what}.`
        : `A user and a password, or a token, that are right are needed to ${what}.`;
    return new AccessRefusal('ACCESS_UNAUTHENTICATED', sentence, 401, { challenges: [...digest, basic] });
  }
}

function forbidden(user: string | undefined, action: Action, stream: string): AccessRefusal {
  return new AccessRefusal(
    'ACCESS_FORBIDDEN',
    `"${user ?? ''}" may not ${describe(action, stream)}. Whoever keeps the configuration can add it to the permissions of this user.`,
    403,
  );
}

/** A failure of who was asked, as the door has to hear it; anything else as it is. */
function undecided(error: unknown): unknown {
  if (error instanceof CheckerBusy) {
    return new AccessRefusal(
      'ACCESS_THROTTLED',
      'Too many passwords are being checked. Try again in 1 s.',
      429,
      {
        retryAfterSeconds: 1,
      },
    );
  }
  if (!(error instanceof HookUnavailable || error instanceof KeysUnavailable)) return error;
  const which = error instanceof HookUnavailable ? 'The service of "authHook"' : 'The keys of "jwt.jwks"';
  return new AccessRefusal(
    'ACCESS_UNDECIDED',
    `${which} cannot be asked now, so nobody is let in by it. ${error.message}`,
    503,
  );
}

function describe(action: Action, stream: string): string {
  return stream === '' ? `${action} this server` : `${action} "${stream}"`;
}
