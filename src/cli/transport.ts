import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import type { JobType } from '#config/job-schema.ts';
import type { JobStatus } from '#jobs/job-status.ts';
import { NamedError } from '#util/named-error.ts';
import type { Typed } from './command-line.ts';
import type { CliEnvironment } from './environment.ts';
import { EXIT, exitCode, exitCodeOf } from './exit-code.ts';
import { JOB_ARGS, jobOf } from './job-arguments.ts';
import { liveLine, summary } from './live-line.ts';
import { meantAddress } from './local-address.ts';
import { onStopSignal } from './stop-signals.ts';

/** Ending takes longer only when something hangs: what is in an encoder or on its way to a slow server is waited for. */
const CLOSE_MS = 15_000;
/** From one look to the next, ms: of a line that people read, and of objects for programs. */
const LOOK_MS = { live: 250, json: 1000, quiet: 500 } as const;

const DESCRIPTIONS: Readonly<Record<JobType, string>> = {
  push: 'Send one input on: a file in real time, a picture, a device, or a live stream, copied',
  split: 'Send picture and sound of one input to two outputs',
  merge: 'Make one of the picture of one input and the sound of another, in step',
  relay: 'Send one input to several outputs, copied',
  transcode: 'Send one input on in other codecs; a file into a file as fast as it goes',
};

/** `sluice push` and its like, for the usage; {@link runTransport} does them. */
export function transportCommand(type: JobType): CommandDef {
  return defineCommand<ArgsDef>({
    meta: { name: type, description: DESCRIPTIONS[type] },
    args: JOB_ARGS[type],
  });
}

/** Does one job until its input ends or somebody ends it. Resolves with the status for the process. */
export async function runTransport(
  type: JobType,
  typed: Typed,
  environment: CliEnvironment,
): Promise<number> {
  const entry = await jobOf(type, typed, (address, side) =>
    meantAddress(address, side, () => localRtsp(typed, environment)),
  );
  const json = typed.options.has('json');
  const screen = new Screen(environment, json);
  const stop = new AbortController();
  let onTime = () => {};
  const ignore = onStopSignal(environment, ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE'], () => {
    screen.say('Stopping. Once more ends at once.');
    onTime = environment.clock.after(CLOSE_MS, () => {
      screen.say(`Not everything ended within ${CLOSE_MS / 1000} s; leaving it behind.`);
      environment.exit(EXIT.failed);
    });
    stop.abort();
  });
  try {
    const { status, told } = await environment.transport(entry, {
      stop: stop.signal,
      onBegin: (look) => screen.follow(look),
      onMessage: (_, message) => screen.say(message),
    });
    screen.end(status, told);
    return exitCode(status, told);
  } catch (error) {
    if (!(error instanceof NamedError)) throw error;
    screen.say(error.message);
    return exitCodeOf(error.code) ?? EXIT.failed;
  } finally {
    screen.close();
    onTime();
    ignore();
  }
}

/** Where the server of this machine gives and takes streams by RTSP. */
async function localRtsp({ options }: Typed, { loadConfig }: CliEnvironment): Promise<string> {
  const path = options.get('config');
  const { host, rtsp } = await loadConfig(typeof path === 'string' ? path : undefined);
  if (rtsp.port === 0) {
    const sentence =
      'The server on this machine takes any free port ("rtsp.port: 0"): give the whole address of the stream, rtsp://127.0.0.1:<port>/<name>.';
    throw new NamedError('ADDRESS_UNAVAILABLE', sentence, 500);
  }
  const isAny = host === '0.0.0.0' || host === '::';
  return `rtsp://${isAny ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host}:${rtsp.port}`;
}

/** What people or programs see while a job runs. */
class Screen {
  readonly #environment: CliEnvironment;
  readonly #json: boolean;
  #said = '';
  #isShown = false;
  #lastLine: JobStatus['log'][number] | undefined;
  #cancel = () => {};

  constructor(environment: CliEnvironment, json: boolean) {
    this.#environment = environment;
    this.#json = json;
  }

  get #live(): CliEnvironment['live'] {
    return this.#json ? undefined : this.#environment.live;
  }

  /** Looks again and again. */
  follow(look: () => JobStatus): void {
    const pace = this.#json ? LOOK_MS.json : this.#live ? LOOK_MS.live : LOOK_MS.quiet;
    const show = () => {
      const status = look();
      this.#news(status);
      if (this.#json) this.#print(status);
      this.#draw(status);
      this.#cancel = this.#environment.clock.after(pace, show);
    };
    this.#cancel = this.#environment.clock.after(pace, show);
  }

  /** A line for people, above the one that changes. */
  say(message: string): void {
    // Of an input that ends the job, both say why.
    if (message === this.#said) return;
    this.#said = message;
    this.#wipe();
    this.#environment.complain(message);
  }

  end(status: JobStatus, told: boolean): void {
    this.close();
    this.#news(status);
    const { state, trouble, reason = '' } = status;
    if (this.#json) this.#print(status);
    else if (state === 'failed') this.say(trouble ?? reason);
    else this.say(`${told ? 'Stopped: ' : 'Done: '}${summary(status)}`);
  }

  /** Idempotent. */
  close(): void {
    this.#cancel();
    this.#cancel = () => {};
    this.#wipe();
  }

  #print(status: JobStatus): void {
    const { log: _, since, ...rest } = status;
    this.#environment.print(JSON.stringify({ ...rest, since: new Date(since).toISOString() }));
  }

  /** Lines of the job's log that came since the last look. */
  #news({ log, state, reason }: JobStatus): void {
    const lines = log.slice(log.findIndex((line) => line === this.#lastLine) + 1);
    this.#lastLine = log.at(-1) ?? this.#lastLine;
    // How it ended is said with what was done.
    for (const { message } of lines) if (state !== 'stopped' || message !== reason) this.say(message);
  }

  #draw(status: JobStatus): void {
    const live = this.#live;
    // What is on its way then is not worth a line.
    if (!live || status.state === 'stopped') return;
    // The last column stays free: some terminals go to the next line with it.
    live.write(`\r${liveLine(status, Math.max(1, live.columns() - 1))}${CLEAR}`);
    this.#isShown = true;
  }

  #wipe(): void {
    if (this.#isShown) this.#live?.write(`\r${CLEAR}`);
    this.#isShown = false;
  }
}

/** Clears a terminal from the cursor to the end of the line (ECMA-48, EL). */
const CLEAR = `${String.fromCharCode(27)}[K`;
