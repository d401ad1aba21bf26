import { resolve } from 'node:path';
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { version } from '#app/version.ts';
import { asksWho, DEFAULT_FILE } from '#config/load.ts';
import type { Config } from '#config/schema.ts';
import { isStreamPattern } from '#config/stream-pattern.ts';
import type { CliEnvironment } from './environment.ts';
import { onStopSignal } from './stop-signals.ts';

/** Ending takes longer only when something hangs. */
const CLOSE_MS = 5000;

/** `sluice serve`: runs until SIGINT or SIGTERM. */
export function serveCommand(environment: CliEnvironment): CommandDef {
  return defineCommand<ArgsDef>({
    meta: { name: 'serve', description: 'Run the server until it is told to stop' },
    args: {
      config: {
        type: 'string',
        description: 'Configuration file; without it ./sluice.yml where there is one, else the defaults',
        valueHint: 'sluice.yml',
      },
    },
    run: async ({ args }) => {
      const path = typeof args['config'] === 'string' ? args['config'] : undefined;
      const config = await environment.loadConfig(path);
      const server = await environment.createServer(config, {
        file: resolve(path ?? DEFAULT_FILE),
        signals: environment.inTerminal ? undefined : environment.signals,
      });
      environment.print(whereToLook(config, server.addresses));
      const signal = await toldToStop(environment);
      environment.print(`${signal}: stopping. Once more ends at once.`);
      await closeInTime(server, environment);
    },
  });
}

function whereToLook(
  config: Config,
  { http, https, rtsp }: { http: string; https?: string; rtsp: string },
): string {
  // A stream of this name in the configuration takes the place of the demonstration.
  const demo = config.demo && !Object.hasOwn(config.streams, 'demo');
  const named = Object.keys(config.streams).filter((key) => !isStreamPattern(key));
  const [first = 'live'] = demo ? ['demo'] : named;
  const lines = [
    ['Watch', https === undefined ? `${http}/` : `${https}/ or ${http}/`],
    ['Publish', `ffmpeg -re -stream_loop -1 -i video.mp4 -c copy -f rtsp ${rtsp}/live`],
    ['Read', `ffplay -rtsp_transport tcp ${rtsp}/${first}`],
    ...(demo
      ? [['Demo', 'the stream "demo" is a street; people are detected while you watch (demo: false ends it)']]
      : []),
    ['API', `${http}/api/openapi.json`],
    ['Stop', 'Ctrl+C'],
  ];
  const table = lines.map(([name = '', text = '']) => `  ${name.padEnd(9)}${text}`);
  const who = asksWho(config) ? 'for those that "users" and its like let in' : 'for this machine only';
  return [`Sluice ${version} is running, ${who}.`, '', ...table, ''].join('\n');
}

/** Resolves with the first signal to stop; the second one ends the process. */
function toldToStop(environment: CliEnvironment): Promise<string> {
  return new Promise((resolve) => {
    onStopSignal(environment, ['SIGINT', 'SIGTERM'], resolve);
  });
}

async function closeInTime(
  server: { close(): Promise<void> },
  { complain, exit }: CliEnvironment,
): Promise<void> {
  const timer = setTimeout(() => {
    complain(`Not everything ended within ${CLOSE_MS / 1000} s; leaving it behind.`);
    exit(1);
  }, CLOSE_MS);
  try {
    await server.close();
  } finally {
    clearTimeout(timer);
  }
}
