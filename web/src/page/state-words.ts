import type { PlayerSnapshot } from '../player/snapshot.ts';
import { formatMs } from './format.ts';

/** How the state of a tile looks and what it says: a key of the locale files with its values. */
export interface StateWords {
  readonly tone: 'busy' | 'good' | 'warning' | 'bad';
  /** Beside the dot, two words at most. */
  readonly short: string;
  readonly shortValues: Readonly<Record<string, string | number>>;
  /** A sentence over the picture; absent while there is nothing to explain. */
  readonly long?: string;
  readonly longValues?: Readonly<Record<string, string | number>>;
  /** The picture, if there is one, still says something: the sentence stands small beside it. */
  readonly overPicture: boolean;
  readonly retry: boolean;
}

/** Why a stream's source does not run. */
export interface SourceTrouble {
  /** In the language of the page, where it knows the code of the error. */
  readonly reason: string;
  /** The server's own sentence, which may name more. */
  readonly detail?: string;
  /** It cannot run as it is; otherwise the next attempt may help. */
  readonly failed: boolean;
}

/**
 * The words for what a player is doing.
 * @param now ms since 1970, for what counts down
 * @param trouble why the stream's source does not run, where the server says so: that explains all waiting
 */
export function stateWords(snapshot: PlayerSnapshot, now: number, trouble?: SourceTrouble): StateWords {
  const { phase, source, picture } = snapshot;
  const base = { shortValues: {}, overPicture: picture, retry: false } as const;
  switch (phase) {
    case 'live':
      return {
        ...base,
        tone: 'good',
        short: 'state.live',
        shortValues: latency(snapshot),
        ...(snapshot.tracks.some((track) => track.kind === 'video') ? {} : { long: 'state.soundOnly' }),
      };
    case 'behind':
      return {
        ...base,
        tone: 'warning',
        short: 'state.behind',
        shortValues: latency(snapshot),
        long: 'state.behindWhy',
        longValues: latency(snapshot),
      };
    case 'held':
      return { ...base, tone: 'warning', short: 'state.held', ...heldWords(source, now) };
    case 'lost':
      return { ...base, tone: 'warning', short: 'state.lost', long: 'state.lostWhy' };
    case 'failed':
      return {
        ...base,
        tone: 'bad',
        short: 'state.failed',
        overPicture: false,
        retry: true,
        ...failedWords(snapshot),
      };
    default:
      return trouble?.failed
        ? { ...base, tone: 'bad', short: 'state.failed', ...failedSourceWords(trouble) }
        : { ...base, tone: 'busy', short: 'state.connecting', ...connectingWords(snapshot, trouble) };
  }
}

function latency(snapshot: PlayerSnapshot): { latency: string } {
  return { latency: formatMs(snapshot.latencyMs) };
}

type Sentence = Pick<StateWords, 'long' | 'longValues'>;

function heldWords(source: PlayerSnapshot['source'], now: number): Sentence {
  if (source.kind !== 'held') return {};
  const left = Math.max(0, Math.round(source.seconds - (now - source.since) / 1000));
  return { long: 'state.heldWhy', longValues: { seconds: left } };
}

function failedSourceWords({ reason }: SourceTrouble): Sentence {
  return { long: 'state.sourceFailed', longValues: { reason } };
}

function connectingWords({ source }: PlayerSnapshot, trouble: SourceTrouble | undefined): Sentence {
  if (source.kind === 'lost') return { long: 'state.noServer' };
  if (trouble) return { long: 'state.waitingFor', longValues: { reason: trouble.reason } };
  if (source.kind === 'waiting' && source.for === 'publisher') return { long: 'state.waitingPublisher' };
  if (source.kind === 'waiting' && source.for === 'source') {
    return { long: 'state.waitingFor', longValues: { reason: source.reason } };
  }
  if (source.kind === 'open' || (source.kind === 'waiting' && source.for))
    return { long: 'state.waitingPicture' };
  return { long: 'state.connectingWhy' };
}

function failedWords(snapshot: PlayerSnapshot): Sentence {
  if (!snapshot.isExhausted) return { long: 'state.goneWhy' };
  for (const { setback } of snapshot.setbacks) {
    if (setback.kind !== 'codec' || setback.codec === undefined) continue;
    const long = setback.media === 'audio' ? 'state.noAudioCodec' : 'state.noVideoCodec';
    return { long, longValues: { codec: setback.codec } };
  }
  return { long: 'state.noWay' };
}
