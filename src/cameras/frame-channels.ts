import { isDeepStrictEqual } from 'node:util';
import type { Result } from '#algorithms/contract.ts';
import type { Broker, BrokerChannel, BrokerCounters } from '#bus/broker.ts';
import type { Bus } from '#bus/bus.ts';
import { Base64Writer } from '#util/base64-writer.ts';
import type { FrameSettings, RunFrame } from './contract.ts';
import type { Frames, RunTopics } from './frames.ts';
import { type RunManager, runId } from './runs.ts';

export interface FrameChannelsOptions {
  readonly runs: RunManager;
  readonly frames: Frames;
  readonly bus: Bus<RunTopics>;
  readonly broker: Broker;
  /** Template of channels that do not say one themselves. */
  readonly template: string;
  /** Streams that are there. */
  readonly present: () => readonly string[];
}

/** How the channel of a run does. */
export interface ChannelInfo extends BrokerCounters {
  readonly channel: string;
  readonly subscribers: number;
}

/**
 * Frames and results for programs outside, on channels of a broker: `<channel>` has each picture that was looked at as
 * base64 JPEG, `<channel>:results` what was found as JSON. There is a channel for each algorithm that gives its frames out:
 * those configured for a stream of their own name or of one that is there, and those of runs. Who subscribes to one that is
 * configured makes the algorithm work, like somebody who watches.
 */
export class FrameChannels implements Disposable {
  readonly #options: FrameChannelsOptions;
  /** By run. */
  readonly #outlets = new Map<string, Outlet>();
  readonly #forget: readonly (() => void)[];
  #template: string;

  constructor(options: FrameChannelsOptions) {
    this.#options = options;
    this.#template = options.template;
    const { events } = options.runs;
    const look = ({ stream, algorithm }: { stream: string; algorithm: string }) =>
      this.#look(stream, algorithm);
    this.#forget = [
      events.on('runStarted', look),
      events.on('runChanged', look),
      events.on('runStopped', look),
      events.on('defaultsChanged', () => this.#lookAtAll()),
    ];
    this.#lookAtAll();
  }

  /** Goes on with another template. */
  configure(template: string): void {
    this.#template = template;
    this.#lookAtAll();
  }

  /** A stream has come or gone. */
  streamChanged(stream: string): void {
    for (const { algorithm } of this.#options.runs.defaultsOf(stream)) this.#look(stream, algorithm);
  }

  of(run: string): ChannelInfo | undefined {
    return this.#outlets.get(run)?.info;
  }

  [Symbol.dispose](): void {
    for (const forget of this.#forget) forget();
    for (const outlet of this.#outlets.values()) outlet.close();
    this.#outlets.clear();
  }

  #lookAtAll(): void {
    const { runs, present } = this.#options;
    const streams = new Set([...runs.streamsWithDefaults, ...present()]);
    for (const { stream, algorithm } of [...this.#outlets.values()]) this.#look(stream, algorithm);
    for (const stream of streams) this.streamChanged(stream);
    for (const { stream, algorithm } of runs.list()) this.#look(stream, algorithm);
  }

  #look(stream: string, algorithm: string): void {
    const id = runId(stream, algorithm);
    const settings = this.#settingsOf(id, stream, algorithm);
    const before = this.#outlets.get(id);
    const name = settings && channelName(settings.channel ?? this.#template, stream, algorithm);
    if (before && before.name === name && isDeepStrictEqual(before.settings, settings)) return;
    before?.close();
    this.#outlets.delete(id);
    if (!settings || name === undefined) return;
    this.#outlets.set(id, new Outlet({ ...this.#options, id, stream, algorithm, settings, name }));
  }

  #settingsOf(id: string, stream: string, algorithm: string): FrameSettings | undefined {
    const { runs, present } = this.#options;
    const run = runs.get(id)?.frames;
    if (run) return run;
    if (!runs.streamsWithDefaults.includes(stream) && !present().includes(stream)) return undefined;
    return runs.defaultsOf(stream).find((wish) => wish.algorithm === algorithm)?.frames;
  }
}

/** What a template makes of a run. */
export function channelName(template: string, stream: string, algorithm: string): string {
  return template.replaceAll('{stream}', () => stream).replaceAll('{algorithm}', () => algorithm);
}

/** The two channels of one run, and the key of the first. */
class Outlet {
  readonly stream: string;
  readonly algorithm: string;
  readonly settings: FrameSettings;
  readonly name: string;
  readonly #frames: Frames;
  readonly #pictures: BrokerChannel;
  readonly #results: BrokerChannel;
  /** Of one message at a time: the next is made when Redis has answered the one before. */
  readonly #base64 = new Base64Writer();
  readonly #forget: () => void;
  #listening: (() => void) | undefined;
  #hearing: (() => void) | undefined;

  constructor(
    options: FrameChannelsOptions & {
      id: string;
      stream: string;
      algorithm: string;
      settings: FrameSettings;
      name: string;
    },
  ) {
    const { id, name, settings, bus, broker } = options;
    this.stream = options.stream;
    this.algorithm = options.algorithm;
    this.settings = settings;
    this.name = name;
    this.#frames = options.frames;
    this.#pictures = broker.open(name, (subscribers) => this.#listen(subscribers > 0));
    this.#results = broker.open(`${name}:results`, (subscribers) => this.#hear(subscribers > 0));
    // Who reads a key cannot be seen, so it is kept for as long as the algorithm works.
    this.#forget =
      settings.keepSeconds === undefined
        ? () => {}
        : bus.subscribe(`frames/${id}`, (frame) => this.#show(frame));
  }

  get info(): ChannelInfo {
    const { subscribers, counters } = this.#pictures;
    return { channel: this.name, subscribers, ...counters };
  }

  close(): void {
    this.#forget();
    this.#pictures[Symbol.dispose]();
    this.#results[Symbol.dispose]();
    this.#listen(false);
    this.#hear(false);
  }

  #listen(wanted: boolean): void {
    if (wanted === (this.#listening !== undefined)) return;
    this.#listening?.();
    this.#listening = undefined;
    if (!wanted) return;
    const isKept = this.settings.keepSeconds !== undefined;
    this.#listening = this.#frames.listen({
      ...this.#subscriber(this.name),
      ...(isKept ? {} : { frame: (frame) => this.#show(frame) }),
    });
  }

  #hear(wanted: boolean): void {
    if (wanted === (this.#hearing !== undefined)) return;
    this.#hearing?.();
    this.#hearing = undefined;
    if (!wanted) return;
    const result = (found: Result) =>
      this.#results.publish({ bytes: () => Buffer.from(JSON.stringify(found)), publish: true });
    this.#hearing = this.#frames.listen({ ...this.#subscriber(`${this.name}:results`), result });
  }

  #subscriber(channel: string) {
    const { stream, algorithm } = this;
    const reason = `subscribed to ${channel}`;
    return {
      stream,
      algorithm,
      holder: { kind: 'subscriber', id: `${stream} ${algorithm} ${channel}`, reason } as const,
    };
  }

  #show({ jpeg }: RunFrame): void {
    this.#pictures.publish({
      // Once for all subscribers, and not for what a newer one overtakes.
      bytes: () => this.#base64.encode(jpeg),
      publish: this.#pictures.subscribers > 0,
      keepSeconds: this.settings.keepSeconds,
    });
  }
}
