import type { JobStatus } from '#jobs/job-status.ts';

/** The widest bar, characters. */
const BAR = 24;
/** A narrower one says nothing. */
const LEAST_BAR = 8;

/** How a job stands, in one line of at most so many characters. */
export function liveLine(status: JobStatus, width: number): string {
  const { state, reason, progress } = status;
  if (state !== 'running' && progress.timeMs === 0) return clip(reason ?? `${state} …`, width);
  const { timeMs, durationMs, speed, fps, bitRate, drops } = progress;
  const facts = [
    durationMs === undefined ? time(timeMs) : `${time(timeMs)} / ${time(durationMs)}`,
    `${speed.toFixed(2)}x`,
    ...(fps > 0 ? [`${fps.toFixed(1)} fps`] : []),
    rate(bitRate),
    ...(drops > 0 ? [`${drops} dropped`] : []),
    ...(state === 'running' ? (reason === undefined ? [] : [reason]) : [reason ?? state]),
  ];
  const text = facts.join('  ');
  const [clock = '', ...rest] = facts;
  const room = Math.min(BAR, width - text.length - 9);
  if (durationMs === undefined || durationMs <= 0 || room < LEAST_BAR) return clip(text, width);
  const part = Math.min(1, timeMs / durationMs);
  const filled = Math.round(part * room);
  const bar = `[${'='.repeat(filled)}${' '.repeat(room - filled)}] ${String(Math.floor(part * 100)).padStart(3)} %`;
  return clip([clock, bar, ...rest].join('  '), width);
}

/** What was done, in a sentence for the end. */
export function summary({ progress: { timeMs, bytesSent, drops } }: JobStatus): string {
  const lost = drops > 0 ? `, ${drops} units dropped` : '';
  return `${time(timeMs)} of media, ${bytes(bytesSent)} sent${lost}.`;
}

function clip(text: string, width: number): string {
  const line = text.replaceAll(/\s*\n\s*/g, ' ');
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}

/** `1:02:03.4`, or `02:03.4` of less than an hour. */
function time(ms: number): string {
  const tenths = Math.floor(ms / 100);
  const pad = (value: number) => String(value).padStart(2, '0');
  const [seconds, minutes, hours] = [
    Math.floor(tenths / 10) % 60,
    Math.floor(tenths / 600) % 60,
    Math.floor(tenths / 36_000),
  ];
  return `${hours > 0 ? `${hours}:` : ''}${pad(minutes)}:${pad(seconds)}.${tenths % 10}`;
}

function rate(bits: number): string {
  return bits < 1e6 ? `${Math.round(bits / 1000)} kbit/s` : `${(bits / 1e6).toFixed(1)} Mbit/s`;
}

function bytes(count: number): string {
  if (count < 1e6) return `${(count / 1000).toFixed(1)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}
