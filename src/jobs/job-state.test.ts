import { describe, expect, it } from 'vitest';
import { type JobParts, judge } from './job-state.ts';

const input = (state: JobParts['inputs'][number]['state'], reason?: string) => ({
  url: 'rtsp://in/a',
  state,
  ...(reason === undefined ? {} : { reason, code: 'X' }),
});
const output = (state: JobParts['outputs'][number]['state'], reason?: string) => ({
  url: 'rtsp://out/a',
  state,
  ...(reason === undefined ? {} : { reason, code: 'Y' }),
});
const of = (parts: Partial<JobParts>) =>
  judge({ inputs: [input('running')], compositions: [], outputs: [output('running')], ...parts });

describe('the state of a job', () => {
  it('is running while its input comes and an output takes it', () => {
    expect(of({})).toEqual({ state: 'running' });
    expect(of({ inputs: [input('done'), input('running')] })).toEqual({ state: 'running' });
  });

  it('is running while one of several outputs takes it, and names what does not', () => {
    const outputs = [output('running'), output('waiting', 'It is off.'), output('running')];
    expect(of({ outputs })).toMatchObject({
      state: 'running',
      reason: '1 of 3 outputs does not take it: It is off.',
      code: 'Y',
    });
    const two = [output('running'), output('waiting', 'It is off.'), output('failed', 'No address.')];
    expect(of({ outputs: two }).reason).toBe('2 of 3 outputs do not take it: It is off. No address.');
  });

  it('goes on naming an output while that is tried again', () => {
    const outputs = [output('running'), output('starting', 'It is off.')];
    expect(of({ outputs })).toMatchObject({
      state: 'running',
      trouble: expect.stringContaining('It is off.'),
    });
    expect(of({ outputs: [output('running'), output('starting')] })).toEqual({ state: 'running' });
  });

  it('has a trouble that is the same from attempt to attempt', () => {
    const attempt = {
      ...output('waiting', 'It is off. The next attempt is in 1.0 s.'),
      trouble: 'It is off.',
    };
    expect(of({ outputs: [output('running'), attempt] }).trouble).toBe(
      '1 of 2 outputs does not take it: It is off.',
    );
  });

  it('waits for an input that is not there, whatever the outputs do', () => {
    expect(of({ inputs: [input('waiting', 'It is off.')] })).toMatchObject({
      state: 'waiting',
      reason: 'It is off.',
      code: 'X',
    });
    expect(of({ inputs: [input('starting')] })).toEqual({ state: 'starting' });
  });

  it('waits for all outputs when none of them takes it', () => {
    expect(of({ outputs: [output('waiting', 'It is off.')] })).toMatchObject({
      state: 'waiting',
      reason: 'It is off.',
      code: 'Y',
    });
    expect(of({ outputs: [output('waiting', 'It is off.'), output('starting')] })).toMatchObject({
      state: 'starting',
      reason: 'It is off.',
    });
    expect(of({ outputs: [output('idle')] })).toEqual({ state: 'starting' });
  });

  it('waits for what cannot be put together, and says what is missing of one that runs', () => {
    const lacking = { state: 'waiting', reason: 'The stream has no sound.' } as const;
    expect(of({ compositions: [lacking], outputs: [output('idle')] })).toMatchObject(lacking);
    expect(of({ compositions: [{ state: 'running', reason: 'The sound is gone.' }] })).toMatchObject({
      state: 'running',
      reason: 'The sound is gone.',
    });
  });

  it('is failed when an input, what is made of it, or every output can never work', () => {
    expect(of({ inputs: [input('failed', 'No address.')] }).state).toBe('failed');
    expect(of({ compositions: [{ state: 'failed', reason: 'No encoder.' }] })).toMatchObject({
      state: 'failed',
      reason: 'No encoder.',
    });
    expect(of({ outputs: [output('failed', 'A.'), output('failed', 'B.')] })).toMatchObject({
      state: 'failed',
      reason: 'A. B.',
      code: 'Y',
    });
  });
});
