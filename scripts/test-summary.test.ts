import { describe, expect, it } from 'vitest';
import { addFailure, addReport, closingLine, emptyTally } from './test-summary.ts';

function file(name: string, ...statuses: string[]) {
  return {
    name,
    status: statuses.includes('failed') ? 'failed' : 'passed',
    message: '',
    assertionResults: statuses.map((status, index) => ({ fullName: `${name} ${index}`, status })),
  };
}

describe('the closing line of npm test', () => {
  it('sums the tests of all reports', () => {
    const tally = emptyTally();
    addReport(tally, { testResults: [file('a', 'passed', 'passed'), file('b', 'passed', 'failed')] });
    addReport(tally, { testResults: [file('c', 'passed')] });
    expect(closingLine(tally)).toBe('4 passed, 1 failed');
    expect(tally.failures).toEqual(['b 1']);
  });

  it('names and counts skipped tests', () => {
    const tally = emptyTally();
    addReport(tally, { testResults: [file('a', 'passed', 'skipped', 'todo', 'pending')] });
    expect(closingLine(tally)).toBe('1 passed, 0 failed, 3 skipped');
    expect(tally.skipped).toEqual(['a 1', 'a 2', 'a 3']);
  });

  it('counts a file that could not be loaded, and a step that crashed, as failed', () => {
    const tally = emptyTally();
    addReport(tally, { testResults: [{ ...file('broken'), status: 'failed', message: 'SyntaxError' }] });
    addFailure(tally, 'npm run check');
    expect(closingLine(tally)).toBe('0 passed, 2 failed');
    expect(tally.failures).toEqual(['broken: SyntaxError', 'npm run check']);
  });
});
