import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { withoutCredentials } from '#app/logger.ts';
import { fingerprint } from '#config/fields.ts';
import type { ProbeReport } from '#link/messages.ts';
import type { TrackReport } from '#media/track-report.ts';
import { type CliEnvironment, UsageError } from './environment.ts';

/** `sluice probe <address>`: says what is in a file or behind an address. */
export function probeCommand(environment: CliEnvironment): CommandDef {
  return defineCommand<ArgsDef>({
    meta: { name: 'probe', description: 'Say what is in a file, or in a live stream behind an address' },
    args: {
      address: {
        type: 'positional',
        description:
          'An address (rtsp, rtsps, rtmp, rtmps, whep, wheps, http, https, srt, udp) or the path of a file',
        required: true,
      },
      fingerprint: {
        type: 'string',
        description: 'SHA-256 of the certificate that a server behind TLS has, whoever signed it',
        valueHint: 'hex',
      },
      insecure: { type: 'boolean', description: 'Take any certificate' },
      json: { type: 'boolean', description: 'Print JSON' },
    },
    run: async ({ args }) => {
      const address = String(args['address']);
      const trust = { fingerprint: fingerprintOf(args['fingerprint']), insecure: args['insecure'] === true };
      const report = await environment.probe(address, trust);
      environment.print(
        args['json'] === true
          ? JSON.stringify(report, null, 2)
          : describeProbe(withoutCredentials(address), report),
      );
    },
  });
}

/** By the rule of the configuration. */
function fingerprintOf(given: unknown): string | undefined {
  const { data, error } = fingerprint().optional().safeParse(given);
  if (error) throw new UsageError(`The value of "--fingerprint" ${error.issues[0]?.message}.`);
  return data;
}

/** A report for people: a line for the input and one for each track. */
export function describeProbe(address: string, { container, duration, tracks }: ProbeReport): string {
  const head = [container, duration === undefined ? undefined : `${round(duration)} s`];
  const rows = tracks.map((track) => ['', track.kind, track.codec, details(track)]);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [
    `${address}: ${head.filter(Boolean).join(', ')}`,
    ...(lines.length > 0 ? lines : ['  no tracks']),
  ].join('\n');
}

function details(track: TrackReport): string {
  const parts = [
    track.codecString,
    track.width === undefined ? undefined : `${track.width} × ${track.height}`,
    track.fps === undefined ? undefined : `${round(track.fps)} fps`,
    track.keyframeInterval === undefined ? undefined : `a keyframe every ${round(track.keyframeInterval)} s`,
    track.sampleRate === undefined ? undefined : `${round(track.sampleRate / 1000)} kHz`,
    track.channels === undefined ? undefined : channels(track.channels),
    track.bitrate === undefined ? undefined : `${Math.round(track.bitrate / 1000)} kbit/s`,
    track.clock === undefined
      ? undefined
      : track.clock === 'sender-report'
        ? 'timed by sender reports'
        : 'timed by arrival (no sender reports)',
  ];
  return parts.filter(Boolean).join(', ');
}

function channels(count: number): string {
  return ['', 'mono', 'stereo'][count] ?? `${count} channels`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
