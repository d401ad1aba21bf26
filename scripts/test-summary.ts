import { stripVTControlCharacters } from 'node:util';

/** What vitest's JSON reporter writes, as far as it is read here. */
export interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      /** One for each attempt that failed: also of a test that passed in the end. */
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** What went wrong, by name, and what was said about it. */
export interface Trouble {
  readonly name: string;
  readonly messages: readonly string[];
}

export interface Tally {
  passed: number;
  failed: number;
  /** Names of the tests that did not run. */
  readonly skipped: string[];
  /** Tests that failed at first and passed at the second attempt; they count as passed. */
  readonly secondAttempts: Trouble[];
  /** Tests, files and steps that failed. */
  readonly failures: Trouble[];
}

/** Whoever sees only the end of the output is to see why: so much of each message is shown there again. */
const SHOWN_LINES = 15;

export function emptyTally(): Tally {
  return { passed: 0, failed: 0, skipped: [], secondAttempts: [], failures: [] };
}

/** Counts a step that is no test of its own (a check, a crash of the runner), when it failed. */
export function addFailure(tally: Tally, name: string, messages: readonly string[] = []): void {
  tally.failed += 1;
  tally.failures.push({ name, messages });
}

/** Adds the tests of one report. A file that could not even be loaded counts as one failed test. */
export function addReport(tally: Tally, report: VitestReport): void {
  for (const file of report.testResults) {
    let failedHere = 0;
    for (const { fullName: name, status, failureMessages: messages } of file.assertionResults) {
      if (status === 'passed') {
        tally.passed += 1;
        if (messages.length > 0) tally.secondAttempts.push({ name, messages });
      } else if (status === 'failed') {
        failedHere += 1;
        addFailure(tally, name, messages);
      } else tally.skipped.push(name);
    }
    if (file.status === 'failed' && failedHere === 0) addFailure(tally, file.name, [file.message]);
  }
}

/**
 * All that `npm test` has to say at its end, by lines: tests that did not run, those that passed only at the second
 * attempt, and failures, each with the first lines of what it said; last `N passed, N failed` and, where there are any, `, N skipped`.
 */
export function closingLines(tally: Tally): string[] {
  const { length: unsteady } = tally.secondAttempts;
  return [
    ...tally.skipped.map((name) => `skipped: ${name}`),
    ...tally.secondAttempts.flatMap((test) => told('passed at the second attempt', test)),
    ...tally.failures.flatMap((failure) => told('failed', failure)),
    ...(unsteady === 0 ? [] : [`${unsteady} passed only at the second attempt`]),
    closingLine(tally),
  ];
}

/** The line that ends `npm test`: `N passed, N failed`, and `, N skipped` where there are any. */
function closingLine(tally: Tally): string {
  const skipped = tally.skipped.length > 0 ? `, ${tally.skipped.length} skipped` : '';
  return `${tally.passed} passed, ${tally.failed} failed${skipped}`;
}

/** A name and, indented, the beginning of each different message, without colours and the runner's own stack. */
function told(what: string, { name, messages }: Trouble): string[] {
  const excerpts = messages.map((message) =>
    stripVTControlCharacters(message)
      .split('\n')
      .filter((line) => line.trim() !== '' && !/^\s+at .*\/node_modules\//.test(line))
      .slice(0, SHOWN_LINES)
      .map((line) => `    ${line}`)
      .join('\n'),
  );
  return [`${what}: ${name}`, ...new Set(excerpts)].filter((line) => line !== '');
}
