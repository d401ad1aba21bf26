/** What vitest's JSON reporter writes, as far as it is read here. */
export interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

export interface Tally {
  passed: number;
  failed: number;
  /** Names of the tests that did not run. */
  readonly skipped: string[];
  /** Names of the tests, files and steps that failed. */
  readonly failures: string[];
}

export function emptyTally(): Tally {
  return { passed: 0, failed: 0, skipped: [], failures: [] };
}

/** Counts a step that is no test of its own (a check, a crash of the runner), when it failed. */
export function addFailure(tally: Tally, name: string): void {
  tally.failed += 1;
  tally.failures.push(name);
}

/** Adds the tests of one report. A file that could not even be loaded counts as one failed test. */
export function addReport(tally: Tally, report: VitestReport): void {
  for (const file of report.testResults) {
    let failedHere = 0;
    for (const { fullName, status } of file.assertionResults) {
      if (status === 'passed') tally.passed += 1;
      else if (status === 'failed') {
        failedHere += 1;
        addFailure(tally, fullName);
      } else tally.skipped.push(fullName);
    }
    if (file.status === 'failed' && failedHere === 0) addFailure(tally, `${file.name}: ${file.message}`);
  }
}

/** The line that ends `npm test`: `N passed, N failed`, and `, N skipped` where there are any. */
export function closingLine(tally: Tally): string {
  const skipped = tally.skipped.length > 0 ? `, ${tally.skipped.length} skipped` : '';
  return `${tally.passed} passed, ${tally.failed} failed${skipped}`;
}
