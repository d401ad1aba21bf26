import type { KeyObject } from 'node:crypto';
import {
  buildStun,
  errorCode,
  hasIntegrity,
  STUN,
  STUN_BINDING,
  type StunMessage,
  stunKey,
  xorMappedAddress,
} from '../stun/message.ts';
import { CONSENT_MS, type IceCredentials, type IceRemote, isSameRemote, localFragment } from './agent.ts';

/** What came of a check. */
export interface CheckOutcome {
  /** To be sent back to where the check came from. */
  readonly answer: Buffer;
  /** The check was valid: packets from there belong to this session. */
  readonly valid: boolean;
}

/**
 * The lite side of ICE (RFC 8445 section 2.5): it only answers checks, and sends where the other side, always the
 * controlling one, nominates (last nomination counts). Without I/O.
 */
export class IceLiteAgent {
  #local: IceCredentials;
  #key: KeyObject;
  #selected: IceRemote | undefined;
  #isNominated = false;
  /** When a check came last from what is selected. */
  #consentedAt = 0;
  #checkedAt: number;

  /** @param now ms; consent counts from here until the first check */
  constructor(local: IceCredentials, now: number) {
    this.#local = local;
    this.#key = stunKey(local.password);
    this.#checkedAt = now;
  }

  get local(): IceCredentials {
    return this.#local;
  }

  /** Where to send; undefined before the first valid check. */
  get selected(): IceRemote | undefined {
    return this.#selected;
  }

  /** The other side was heard of within the last 30 s, or is waited for since a restart. */
  hasConsent(now: number): boolean {
    return now - this.#checkedAt <= CONSENT_MS;
  }

  /**
   * Forgets where to send when no check came from there for 30 s (RFC 7675 section 5.1): those from elsewhere, and a
   * restart, are no consent of whoever is there. To be called now and then.
   */
  expire(now: number): void {
    if (!this.#selected || now - this.#consentedAt <= CONSENT_MS) return;
    this.#selected = undefined;
    this.#isNominated = false;
  }

  /** A message whose USERNAME begins with our fragment; undefined for what needs no answer. */
  receive(message: StunMessage, from: IceRemote, now: number): CheckOutcome | undefined {
    if (message.class !== 'request' || message.method !== STUN_BINDING) return undefined;
    const { transaction } = message;
    const refuse = (code: number, reason: string, key?: KeyObject): CheckOutcome => ({
      answer: buildStun({ class: 'error', transaction, attributes: [errorCode(code, reason)], key }),
      valid: false,
    });
    const username = message.attributes.get(STUN.username)?.toString('utf8');
    if (username === undefined || message.integrityAt === undefined) return refuse(400, 'Bad Request');
    if (localFragment(username) !== this.#local.ufrag || !hasIntegrity(message, this.#key)) {
      return refuse(401, 'Unauthenticated');
    }
    // A lite agent never controls: the other side has to (RFC 8445 section 7.3.1.1).
    if (message.attributes.has(STUN.iceControlled)) return refuse(487, 'Role Conflict', this.#key);
    this.#checkedAt = now;
    const nominates = message.attributes.has(STUN.useCandidate);
    if (nominates || !this.#isNominated) this.#selected = from;
    this.#isNominated ||= nominates;
    if (this.#selected && isSameRemote(this.#selected, from)) this.#consentedAt = now;
    const mapped = xorMappedAddress(from.address.replace(/^::ffff:/, ''), from.port, transaction);
    const answer = buildStun({ class: 'success', transaction, attributes: [mapped], key: this.#key });
    return { answer, valid: true };
  }

  /** Other credentials from now on (ICE restart, RFC 8839 section 4.4.1.1); what is selected stays until then. */
  restart(local: IceCredentials, now: number): void {
    this.#local = local;
    this.#key = stunKey(local.password);
    this.#isNominated = false;
    this.#checkedAt = now;
  }
}
