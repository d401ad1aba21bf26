/** States of a session (RFC 2326 appendix A.2). INIT also stands for an announced stream before its first SETUP. */
export type RtspState = 'INIT' | 'READY' | 'PLAYING' | 'RECORDING';

export const PUBLIC_METHODS: readonly string[] = [
  'OPTIONS',
  'DESCRIBE',
  'ANNOUNCE',
  'SETUP',
  'PLAY',
  'PAUSE',
  'RECORD',
  'TEARDOWN',
  'GET_PARAMETER',
  'SET_PARAMETER',
];

/** What tells a client the methods that it may use (RFC 2326 section 12.28). */
export const PUBLIC_HEADER: readonly [string, string] = ['Public', PUBLIC_METHODS.join(', ')];

const ALWAYS = ['OPTIONS', 'GET_PARAMETER', 'SET_PARAMETER', 'REDIRECT'];

/** Whether RTSP has this method at all (RFC 2326 section 10). */
export function isKnownMethod(method: string): boolean {
  return PUBLIC_METHODS.includes(method) || method === 'REDIRECT';
}

/** What a client may ask for in a state; `direction` is known after ANNOUNCE or the first SETUP. */
export function allowedMethods(state: RtspState, direction: 'play' | 'record' | undefined): string[] {
  switch (state) {
    case 'INIT':
      return direction === 'record'
        ? [...ALWAYS, 'SETUP', 'TEARDOWN']
        : [...ALWAYS, 'DESCRIBE', 'ANNOUNCE', 'SETUP'];
    case 'READY':
      return direction === 'record'
        ? [...ALWAYS, 'SETUP', 'RECORD', 'PAUSE', 'TEARDOWN']
        : [...ALWAYS, 'DESCRIBE', 'SETUP', 'PLAY', 'PAUSE', 'TEARDOWN'];
    case 'PLAYING':
      return [...ALWAYS, 'DESCRIBE', 'PLAY', 'PAUSE', 'TEARDOWN'];
    case 'RECORDING':
      return [...ALWAYS, 'RECORD', 'PAUSE', 'TEARDOWN'];
  }
}
