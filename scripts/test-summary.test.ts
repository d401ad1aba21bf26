import { describe, expect, it } from 'vitest';
import { addFailure, addReport, closingLines, emptyTally } from './test-summary.ts';

function test(fullName: string, status: string, ...failureMessages: string[]) {
  return { fullName, status, failureMessages };
}

function file(name: string, ...statuses: string[]) {
  return {
    name,
    status: statuses.includes('failed') ? 'failed' : 'passed',
    message: '',
    assertionResults: statuses.map((status, index) => test(`${name} ${index}`, status)),
  };
}

describe('the end of npm test', () => {
  it('sums the tests of all reports', () => {
    const tally = emptyTally();
    addReport(tally, { testResults: [file('a', 'passed', 'passed'), file('b', 'passed', 'failed')] });
    addReport(tally, { testResults: [file('c', 'passed')] });
    expect(closingLines(tally)).toEqual(['failed: b 1', '4 passed, 1 failed']);
  });

  it('names and counts skipped tests', () => {
    const tally = emptyTally();
    addReport(tally, { testResults: [file('a', 'passed', 'skipped', 'todo', 'pending')] });
    expect(closingLines(tally)).toEqual([
      'skipped: a 1',
      'skipped: a 2',
      'skipped: a 3',
      '1 passed, 0 failed, 3 skipped',
    ]);
  });

  it('counts a file that could not be loaded, and a step that crashed, as failed', () => {
    const tally = emptyTally();
    addReport(tally, { testResults: [{ ...file('broken'), status: 'failed', message: 'SyntaxError' }] });
    addFailure(tally, 'npm run check');
    expect(closingLines(tally)).toEqual([
      'failed: broken',
      '    SyntaxError',
      'failed: npm run check',
      '0 passed, 2 failed',
    ]);
  });

  it('shows the first 15 lines of what a failed test said, without colours and without the stack of the runner', () => {
    const tally = emptyTally();
    const lines = Array.from({ length: 20 }, (_, i) => `line ${i}`);
    const stack = [
      '    at run (/sluice/node_modules/vitest/dist/run.js:1:2)',
      '    at /sluice/test/a.test.ts:3:4',
    ];
    addReport(tally, {
      testResults: [
        {
          ...file('a'),
          status: 'failed',
          assertionResults: [
            test('long', 'failed', lines.join('\n')),
            test('short', 'failed', ['\u001B[31mred\u001B[39m', '', ...stack].join('\n')),
          ],
        },
      ],
    });
    expect(closingLines(tally).join('\n').split('\n')).toEqual([
      'failed: long',
      ...lines.slice(0, 15).map((line) => `    ${line}`),
      'failed: short',
      '    red',
      '        at /sluice/test/a.test.ts:3:4',
      '0 passed, 2 failed',
    ]);
  });

  it('names and counts what passed only at the second attempt, with what went wrong at the first', () => {
    const tally = emptyTally();
    addReport(tally, {
      testResults: [
        {
          ...file('a'),
          assertionResults: [test('steady', 'passed'), test('unsteady', 'passed', 'expected 1 to be 2')],
        },
      ],
    });
    expect(closingLines(tally)).toEqual([
      'passed at the second attempt: unsteady',
      '    expected 1 to be 2',
      '1 passed only at the second attempt',
      '2 passed, 0 failed',
    ]);
  });

  it('shows what both attempts said where they failed of different things', () => {
    const tally = emptyTally();
    addReport(tally, {
      testResults: [
        {
          ...file('a'),
          status: 'failed',
          assertionResults: [
            test('twice', 'failed', 'too late', 'too late'),
            test('else', 'failed', 'one', 'two'),
          ],
        },
      ],
    });
    expect(closingLines(tally)).toEqual([
      'failed: twice',
      '    too late',
      'failed: else',
      '    one',
      '    two',
      '0 passed, 2 failed',
    ]);
  });
});
