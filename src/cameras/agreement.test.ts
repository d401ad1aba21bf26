import { describe, expect, it } from 'vitest';
import { ann, ben, setUp } from '../../test/support/runs.ts';

describe('the parameters of a run that is shared', () => {
  it('shares a run with who names the parameters it has, or none', () => {
    const { acquire } = setUp();
    acquire(ann, { threshold: 0.6, classes: ['person'] });
    expect(acquire(ben).run.parameters['threshold']).toBe(0.6);
    expect(acquire(ben, { classes: ['person'] }).run.leases).toHaveLength(2);
  });

  it('refuses other parameters while somebody else holds the run, and says which', () => {
    const { acquire } = setUp();
    acquire(ann, { threshold: 0.6 });
    expect(() => acquire(ben, { threshold: 0.4 })).toThrowError(
      expect.objectContaining({
        code: 'RUN_CONFLICT',
        status: 409,
        message:
          'Run "nanodet-g@demo" has "threshold" 0.6, not 0.4, and is held by others (1). ' +
          'Ask without "threshold" to share it, or stop it first.',
      }),
    );
  });

  it('goes on with the new parameters of its only holder, one task after the other', async () => {
    const { acquire, tasks, runs, end } = setUp();
    const { lease } = acquire(ann, { threshold: 0.6 });
    const again = acquire(ann, { fps: 2 });
    expect(again.lease).toBe(lease);
    expect(again.run).toMatchObject({ parameters: { threshold: 0.6, fps: 2 }, state: 'starting' });
    expect(tasks).toHaveLength(1);
    await end(tasks[0]!);
    expect(tasks[1]?.request.spec.parameters).toMatchObject({ threshold: 0.6, fps: 2 });
    tasks[0]?.request.onState({ state: 'failed', reason: 'late' });
    expect(runs.get('nanodet-g@demo')?.state).toBe('starting');
  });
});
