import type { TFunction } from 'i18next';
import type { TrackClock } from '../api/types.ts';

/** What a number that is not known yet looks like: as wide as a digit, so that nothing moves. */
export const UNKNOWN = '–';

export function formatMs(ms: number | undefined): string {
  if (ms === undefined) return UNKNOWN;
  return ms < 1_000 ? `${Math.round(Math.max(0, ms) / 10) * 10} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function formatFps(fps: number): string {
  return fps < 9.95 ? fps.toFixed(1) : String(Math.round(fps));
}

/** Bytes in powers of 1000, three figures. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A span of time in its two largest units: `42 s`, `3 min 5 s`, `2 h 10 min`, `5 d 3 h`. */
export function formatSpan(ms: number, t: TFunction): string {
  const all = Math.max(0, Math.floor(ms / 1000));
  const [seconds, minutes, hours] = [all % 60, Math.floor(all / 60) % 60, Math.floor(all / 3_600) % 24];
  if (all < 60) return t('span.seconds', { seconds });
  if (all < 3_600) return t('span.minutes', { minutes, seconds });
  if (all < 86_400) return t('span.hours', { hours, minutes });
  return t('span.days', { days: Math.floor(all / 86_400), hours });
}

/** What people call so many channels of sound. */
export function formatChannels(channels: number, t: TFunction): string {
  if (channels === 1) return t('channels.mono');
  return channels === 2 ? t('channels.stereo') : t('channels.more', { channels });
}

/** How far a clock is off, in words for its sign: tools do not agree on what + means. */
export function formatClock({ source, skewPpm }: TrackClock, t: TFunction): string {
  const ppm = Math.abs(Math.round(skewPpm));
  const pace = ppm === 0 ? 'exact' : skewPpm > 0 ? 'slow' : 'fast';
  return t(`clock.${pace}`, { ppm, source: t(`clock.${source}`) });
}
