import type { JobStatus } from '#jobs/job-status.ts';

/** What the status of the process says; docs/jobs.md has the same table. */
export const EXIT = {
  /** The input has ended, or it was told to end, and what was on its way was written. */
  done: 0,
  /** Something that none of the others says. */
  failed: 1,
  /** The command line. */
  usage: 2,
  /** What was to be read. */
  input: 3,
  /** Where it was to go: none of the outputs took it. */
  output: 4,
  /** A codec that the output cannot carry, or that nothing here can make. */
  codec: 5,
  /** It ended well, and one of several outputs never took anything. */
  some: 6,
  /** A second Ctrl-C: at once, with nothing completed. */
  killed: 130,
} as const;

/** Codes of errors that are about what media are coded in. */
const CODEC_ERRORS = new Set([
  ...['CODEC_UNSUPPORTED', 'FORWARD_CODEC_UNSUPPORTED', 'RENDITION_UNSUPPORTED', 'RENDITION_FAILED'],
  'ENCODER_MISSING',
]);

/** What the code of an error alone says; undefined where that depends on where it happened. */
export function exitCodeOf(code: string): number | undefined {
  if (CODEC_ERRORS.has(code)) return EXIT.codec;
  if (code.startsWith('INPUT_') || code.startsWith('DEVICE_')) return EXIT.input;
  if (code.startsWith('FILE_')) return EXIT.output;
  return code === 'TASK_FAILED' ? EXIT.failed : undefined;
}

/**
 * How a job ended, as the status of the process.
 * @param told somebody ended it, perhaps before anything was sent
 */
export function exitCode({ state, code = '', inputs, outputs }: JobStatus, told: boolean): number {
  const silent = outputs.filter(({ bytesSent }) => bytesSent === 0);
  if (state !== 'failed') {
    if (silent.length === 0 || (told && silent.length === outputs.length)) return EXIT.done;
    return silent.length < outputs.length ? EXIT.some : EXIT.output;
  }
  // Where one task reads and writes, both ends fail with it.
  const known = exitCodeOf(code);
  if (known !== undefined) return known;
  const isOut = ({ state: of }: JobStatus['inputs'][number]) => of === 'failed' || of === 'waiting';
  if (inputs.some(isOut)) return EXIT.input;
  return silent.length === outputs.length ? EXIT.output : EXIT.failed;
}
