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
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`;
}
