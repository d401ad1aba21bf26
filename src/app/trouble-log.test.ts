import { expect, it } from 'vitest';
import type { SourceStatus } from '#sources/configured.ts';
import { VirtualClock } from '#util/clock.ts';
import { createLogger, type Logger } from './logger.ts';
import { TroubleLog } from './trouble-log.ts';

function setUp() {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const write = (level: string) => (_: object, sentence: string) => void lines.push(`${level} ${sentence}`);
  const silent = createLogger({ level: 'silent', format: 'json' });
  const log = { ...silent, info: write('info'), warn: write('warn'), error: write('error') } as Logger;
  const sourceLog = new TroubleLog(log, 'source', clock);
  const be = (state: SourceStatus['state'], trouble?: string) =>
    sourceLog.state({
      stream: 'yard',
      state,
      ...(trouble === undefined
        ? {}
        : { trouble, reason: `${trouble} The next attempt is at ${clock.now()}.` }),
    });
  /** Fails every 30 s, so many times. */
  const fail = (times: number, trouble = 'It is off.') => {
    for (let i = 0; i < times; i++) {
      be('starting', i > 0 ? trouble : undefined);
      be('waiting', trouble);
      clock.advance(30_000);
    }
  };
  /** The lines since the last call, without the time of the next attempt. */
  const said = () => lines.splice(0).map((line) => line.replace(/ The next attempt is at \d+\./, ''));
  return { be, fail, said, sourceLog };
}

it('writes a trouble that goes on once, and then every ten minutes with a count', () => {
  const { fail, said } = setUp();
  fail(20);
  expect(said()).toEqual(['info source starting', 'warn source waits: It is off.']);
  fail(41);
  expect(said()).toEqual([
    'warn source waits: It is off. This is failure 20 since the line before.',
    'warn source waits: It is off. This is failure 20 since the line before.',
    'warn source waits: It is off. This is failure 20 since the line before.',
  ]);
});

it('writes at once that a trouble is another one, that it is over, and that it came again', () => {
  const { be, fail, said } = setUp();
  fail(3);
  fail(2, 'It wants a password.');
  be('starting');
  be('running');
  fail(2, 'It wants a password.');
  expect(said()).toEqual([
    'info source starting',
    'warn source waits: It is off.',
    'warn source waits: It wants a password.',
    'info source running',
    'info source starting',
    'warn source waits: It wants a password.',
  ]);
});

it('does not take a source that nobody wants for one that works again', () => {
  const { be, fail, said } = setUp();
  fail(1);
  said();
  be('idle');
  fail(1);
  be('failed', 'It is off.');
  expect(said()).toEqual([]);
});

it('begins anew after a change of the configuration', () => {
  const { fail, said, sourceLog } = setUp();
  fail(1);
  sourceLog.forget();
  fail(2);
  expect(said()).toEqual([
    'info source starting',
    'warn source waits: It is off.',
    'info source starting',
    'warn source waits: It is off.',
  ]);
});

it('tells a second source and a stand-by from the source of the same stream', () => {
  const { fail, said, sourceLog } = setUp();
  fail(1);
  sourceLog.state({
    stream: 'yard',
    part: 'fill',
    state: 'waiting',
    reason: 'It is off.',
    trouble: 'It is off.',
  });
  sourceLog.state({ stream: 'yard', part: 'standby', state: 'running' });
  fail(1);
  expect(said()).toEqual([
    'info source starting',
    'warn source waits: It is off.',
    'warn second source waits: It is off.',
    'info stand-by running',
  ]);
});
