/** The colour of a stream's dot, by its state. */
export function toneOf(state: string): 'good' | 'bad' | 'warning' | 'off' {
  if (state === 'live') return 'good';
  if (state === 'failed') return 'bad';
  return state === 'held' || state === 'standby' || state === 'waiting' ? 'warning' : 'off';
}
