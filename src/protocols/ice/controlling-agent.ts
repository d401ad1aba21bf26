import { randomBytes } from 'node:crypto';
import type { Clock } from '#util/clock.ts';
import {
  buildStun,
  hasIntegrity,
  STUN,
  STUN_BINDING,
  type StunMessage,
  stunKey,
  xorMappedAddress,
} from '../stun/message.ts';
import { CONSENT_MS, type IceCredentials, type IceRemote, isSameRemote, localFragment } from './agent.ts';
import type { OfferedCandidate } from './candidate.ts';

/** Between two checks of different pairs (Ta, RFC 8445 section 14.2). */
const PACE_MS = 50;
/** Until a check is sent again the first time; doubled each time up to the last. */
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 2000;
/** A better pair than the first that works is waited for so long. */
const BETTER_MS = 150;
/** After that without a pair that works there is no way. */
const CONNECT_MS = 10_000;
/** Between two checks of consent, on average (RFC 7675 section 5.1). */
const CONSENT_CHECK_MS = 5000;
const MAX_PAIRS = 32;
/** Checks of a pair whose answers are still taken. */
const MAX_TRANSACTIONS = 16;

/** What our address is worth to the other side that sees it first by a check (RFC 8445 section 7.1.1). */
const REFLEXIVE_PRIORITY = 110 * 2 ** 24 + 65_535 * 256 + 255;

/** One way to the other side: our socket knows no others. */
interface Pair {
  readonly remote: IceRemote;
  readonly priority: number;
  readonly transactions: Set<string>;
  tries: number;
  nextAt: number;
  works: boolean;
}

export interface ControllingAgentOptions {
  readonly clock: Clock;
  readonly local: IceCredentials;
  readonly remote: IceCredentials;
  /** The other side's, over UDP. */
  readonly candidates: readonly OfferedCandidate[];
  readonly send: (bytes: Buffer, to: IceRemote) => void;
  /** The other side agreed on a way, once. */
  readonly onSelected: () => void;
  /** There is no way, or none any more; called once, and not after `close`. */
  readonly onFailed: (reason: string) => void;
}

/**
 * The controlling side of ICE as a client needs it (RFC 8445): checks each candidate of the other side from one socket,
 * nominates the best that works, and asks for consent from then on (RFC 7675). Without I/O.
 */
export class ControllingAgent {
  readonly #options: ControllingAgentOptions;
  readonly #localKey;
  readonly #remoteKey;
  readonly #tieBreaker = randomBytes(8);
  readonly #pairs: Pair[] = [];
  readonly #began: number;
  #firstWorksAt: number | undefined;
  #nominated: Pair | undefined;
  #nominations = new Set<string>();
  #isSelected = false;
  #heardAt = 0;
  #cancelTimer: () => void = () => {};
  #closed = false;

  /** Begins at once. */
  constructor(options: ControllingAgentOptions) {
    this.#options = options;
    this.#localKey = stunKey(options.local.password);
    this.#remoteKey = stunKey(options.remote.password);
    this.#began = options.clock.now();
    for (const { address, port, protocol, priority } of options.candidates) {
      this.#add({ address, port, protocol }, priority);
    }
    this.#tick();
  }

  /** Where to send; undefined before the other side agreed. */
  get selected(): IceRemote | undefined {
    return this.#isSelected ? this.#nominated?.remote : undefined;
  }

  /** A STUN message that came from there. */
  receive(message: StunMessage, from: IceRemote): void {
    if (this.#closed || message.method !== STUN_BINDING) return;
    if (message.class === 'request') this.#request(message, from);
    else if (message.class === 'success') this.#success(message, from);
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer();
  }

  /** A check of the other side, where that is no lite agent. */
  #request(message: StunMessage, from: IceRemote): void {
    const username = message.attributes.get(STUN.username)?.toString('utf8') ?? '';
    const { local, send } = this.#options;
    if (localFragment(username) !== local.ufrag || !hasIntegrity(message, this.#localKey)) return;
    const { transaction } = message;
    const mapped = xorMappedAddress(from.address, from.port, transaction);
    send(buildStun({ class: 'success', transaction, attributes: [mapped], key: this.#localKey }), from);
    const priority = message.attributes.get(STUN.priority);
    // A way that no candidate told of (peer reflexive, RFC 8445 section 7.3.1.3).
    if (!this.#pairOf(from)) this.#add(from, priority?.length === 4 ? priority.readUInt32BE(0) : 0);
  }

  #success(message: StunMessage, from: IceRemote): void {
    const id = message.transaction.toString('hex');
    const pair = this.#pairs.find(({ transactions }) => transactions.has(id));
    // The answer has to come from where the check went (RFC 8445 section 7.2.5.2.1).
    if (!pair || !isSameRemote(pair.remote, from) || !hasIntegrity(message, this.#remoteKey)) return;
    const now = this.#options.clock.now();
    pair.transactions.delete(id);
    pair.works = true;
    this.#firstWorksAt ??= now;
    this.#heardAt = now;
    if (this.#isSelected) return;
    if (!this.#nominations.has(id) || pair !== this.#nominated) return this.#schedule(0);
    this.#isSelected = true;
    this.#nominations.clear();
    this.#schedule(CONSENT_CHECK_MS);
    this.#options.onSelected();
  }

  #tick(): void {
    if (this.#closed) return;
    const now = this.#options.clock.now();
    if (this.#isSelected) return this.#keepConsent(now);
    if (now - this.#began > CONNECT_MS) {
      const ways = this.#pairs.map(({ remote }) => `${remote.address}:${remote.port}`).join(', ');
      const sentence = `No answer came from ${ways || 'any address'} over UDP within ${CONNECT_MS / 1000} s.`;
      return this.#fail(sentence);
    }
    this.#nominate(now);
    const due = this.#nominated ?? this.#nextPair(now);
    if (due && due.nextAt <= now) this.#check(due, now, due === this.#nominated);
    this.#schedule(PACE_MS);
  }

  /** The best pair that works, when no better one can be hoped for. */
  #nominate(now: number): void {
    if (this.#nominated) return;
    const [best] = this.#pairs;
    const working = this.#pairs.find(({ works }) => works);
    if (!working) return;
    if (working !== best && now - (this.#firstWorksAt ?? now) < BETTER_MS) return;
    this.#nominated = working;
    working.tries = 0;
    working.nextAt = now;
  }

  /** The pair whose check is due longest. */
  #nextPair(now: number): Pair | undefined {
    const waiting = this.#pairs.filter(({ works, nextAt }) => !works && nextAt <= now);
    return waiting.sort((a, b) => a.nextAt - b.nextAt)[0];
  }

  #keepConsent(now: number): void {
    const pair = this.#nominated;
    if (!pair) return;
    if (now - this.#heardAt > CONSENT_MS) {
      return this.#fail(`The other side has not answered for ${CONSENT_MS / 1000} s.`);
    }
    this.#check(pair, now, false);
    this.#schedule(CONSENT_CHECK_MS * (0.8 + Math.random() * 0.4));
  }

  #check(pair: Pair, now: number, nominates: boolean): void {
    const { local, remote, send } = this.#options;
    const transaction = randomBytes(12);
    const id = transaction.toString('hex');
    pair.transactions.add(id);
    if (nominates) this.#nominations.add(id);
    const [oldest] = pair.transactions;
    if (pair.transactions.size > MAX_TRANSACTIONS && oldest !== undefined) pair.transactions.delete(oldest);
    pair.nextAt = now + Math.min(FIRST_RETRY_MS * 2 ** Math.min(pair.tries, 8), LAST_RETRY_MS);
    pair.tries++;
    const priority = Buffer.alloc(4);
    priority.writeUInt32BE(REFLEXIVE_PRIORITY);
    const attributes = [
      { type: STUN.username, value: Buffer.from(`${remote.ufrag}:${local.ufrag}`) },
      { type: STUN.iceControlling, value: this.#tieBreaker },
      { type: STUN.priority, value: priority },
      ...(nominates ? [{ type: STUN.useCandidate, value: Buffer.alloc(0) }] : []),
    ];
    send(buildStun({ class: 'request', transaction, attributes, key: this.#remoteKey }), pair.remote);
  }

  #schedule(ms: number): void {
    this.#cancelTimer();
    if (!this.#closed) this.#cancelTimer = this.#options.clock.after(ms, () => this.#tick());
  }

  #add(remote: IceRemote, priority: number): void {
    if (this.#pairs.length >= MAX_PAIRS || this.#pairOf(remote)) return;
    const nextAt = this.#options.clock.now();
    this.#pairs.push({ remote, priority, transactions: new Set(), tries: 0, nextAt, works: false });
    this.#pairs.sort((a, b) => b.priority - a.priority);
  }

  #pairOf(remote: IceRemote): Pair | undefined {
    return this.#pairs.find((pair) => isSameRemote(pair.remote, remote));
  }

  #fail(reason: string): void {
    if (this.#closed) return;
    this.close();
    this.#options.onFailed(reason);
  }
}
