import { describe, expect, it } from 'vitest';
import { OnDemand } from '#hub/on-demand.ts';
import { VirtualClock } from '#util/clock.ts';
import { addressOf, type FileSettings, type PatternSources, type SourceSettings } from './configured.ts';
import { ConfiguredSources } from './configured-sources.ts';

const file = (stream: string, more: Partial<FileSettings> = {}): FileSettings => ({
  kind: 'file',
  stream,
  path: `/${stream}.mp4`,
  loop: true,
  onDemand: undefined,
  ...more,
});
const limits = { startMs: 1000, closeMs: 1000 };

/** Sources whose ends the test lets happen. */
function setUp(settings: readonly SourceSettings[], patterns?: PatternSources) {
  const clock = new VirtualClock();
  const onDemand = new OnDemand({ clock, get: () => undefined });
  const said: string[] = [];
  const ends: (() => void)[] = [];
  const sources = new ConfiguredSources({
    settings,
    ...(patterns && { patterns }),
    clock,
    onDemand,
    start: (one) => {
      const what = one.kind === 'file' ? one.path : one.kind === 'test' ? 'testsrc' : addressOf(one);
      said.push(`start ${what}`);
      return {
        status: { state: 'running', since: clock.now() },
        stop: (reason) => {
          said.push(`stop ${what}: ${reason}`);
          const ended = Promise.withResolvers<void>();
          ends.push(ended.resolve);
          return ended.promise;
        },
      };
    },
    onState: () => {},
    onRemoved: (stream, reason) => said.push(`end ${stream}: ${reason}`),
  });
  /** All that are ending have ended. */
  const settle = async () => {
    for (const end of ends.splice(0)) end();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const states = () => sources.list().map(({ stream, state }) => `${stream} ${state}`);
  return { clock, onDemand, said, sources, settle, states };
}

describe('sources of a configuration that changes', () => {
  it('begin when they are new, end with a reason when they are gone, and go on when they are the same', async () => {
    const { said, sources, settle, states } = setUp([file('a'), file('b')]);
    said.length = 0;
    sources.apply([file('b'), file('c')]);
    expect(said).toEqual([
      'end a: The source was taken out of the configuration.',
      'stop /a.mp4: The source was taken out of the configuration.',
      'start /c.mp4',
    ]);
    expect(states()).toEqual(['b running', 'c running']);
    await settle();
    expect(said).toHaveLength(3);
  });

  it('begin anew when they changed, and only after what they were has ended', async () => {
    const { said, sources, settle, states } = setUp([file('a'), file('b')]);
    said.length = 0;
    sources.apply([file('a', { path: '/other.mp4' }), file('b')]);
    expect(said).toEqual(['stop /a.mp4: The source was changed.']);
    expect(states()).toEqual(['a starting', 'b running']);
    sources.apply([file('a', { path: '/third.mp4' }), file('b')]);
    await settle();
    expect(said.slice(1)).toEqual(['start /third.mp4']);
    expect(states()).toEqual(['a running', 'b running']);
  });

  it('wait for the end of the one that was taken out before them', async () => {
    const { said, sources, settle } = setUp([file('a')]);
    sources.apply([]);
    sources.apply([file('a')]);
    expect(said.filter((what) => what.startsWith('start'))).toHaveLength(1);
    await settle();
    expect(said.filter((what) => what.startsWith('start'))).toHaveLength(2);
    const closed = sources[Symbol.asyncDispose]();
    await settle();
    await closed;
  });

  it('stay at work when they are only on demand from now on, until nobody wants them', async () => {
    const { clock, said, sources, settle, states } = setUp([file('a')]);
    said.length = 0;
    sources.apply([file('a', { onDemand: limits })]);
    expect(said).toEqual([]);
    clock.advance(1000);
    expect(said).toEqual(['stop /a.mp4: Nobody has read "a" for 1 s.']);
    await settle();
    expect(states()).toEqual(['a idle']);
    sources.apply([file('a')]);
    await settle();
    expect(states()).toEqual(['a running']);
  });

  it('keep whoever wants them on demand when they change', async () => {
    const { clock, onDemand, said, sources, settle } = setUp([file('a', { onDemand: limits })]);
    const release = onDemand.claim('a');
    await settle();
    sources.apply([file('a', { path: '/other.mp4', onDemand: { ...limits, closeMs: 5000 } })]);
    await settle();
    expect(said).toEqual(['start /a.mp4', 'stop /a.mp4: The source was changed.', 'start /other.mp4']);
    release();
    clock.advance(4999);
    expect(said).toHaveLength(3);
    clock.advance(1);
    expect(said.at(-1)).toBe('stop /other.mp4: Nobody has read "a" for 5 s.');
  });
});

describe('sources of patterns', () => {
  const yard = (path = 'yard', max = 2): PatternSources => ({
    find: (name) =>
      name.startsWith('yard/')
        ? file(name, { path: `/${path}/${name.slice(5)}`, onDemand: limits })
        : undefined,
    max,
  });

  it('begin when somebody wants a name that fits, and nothing of them is left when nobody does', async () => {
    const { clock, onDemand, said, settle, states } = setUp([file('a')], yard());
    said.length = 0;
    expect([onDemand.has('yard/1'), onDemand.has('hall'), onDemand.has('a')]).toEqual([true, false, false]);
    expect(states()).toEqual(['a running']);
    const wanted = onDemand.wanted('yard/1');
    await settle();
    expect(said).toEqual(['start /yard/1']);
    expect(states()).toEqual(['a running', 'yard/1 running']);
    clock.advance(1000);
    await expect(wanted).rejects.toMatchObject({ code: 'SOURCE_NOT_READY' });
    clock.advance(1000);
    expect(said.at(-1)).toBe('stop /yard/1: Nobody has read "yard/1" for 1 s.');
    expect(states()).toEqual(['a running']);
    // The next one begins when the end of the last one is over.
    const release = onDemand.claim('yard/1');
    expect(said.at(-1)).toMatch(/^stop/);
    await settle();
    expect(said.at(-1)).toBe('start /yard/1');
    release();
    await expect(onDemand.wanted('hall')).rejects.toMatchObject({ code: 'STREAM_NOT_FOUND' });
  });

  it('are so many at a time and no more; who waits for one gets it when another is gone', async () => {
    const { clock, onDemand, settle, states } = setUp([], yard('yard', 1));
    const release = onDemand.claim('yard/1');
    await expect(onDemand.wanted('yard/2')).rejects.toMatchObject({ code: 'SOURCE_LIMIT', status: 503 });
    onDemand.claim('yard/2');
    expect(onDemand.trouble('yard/2')).toContain('which is the most ("sources.patternStreams")');
    release();
    clock.advance(1000);
    expect(onDemand.trouble('yard/2')).toBeUndefined();
    await settle();
    expect(states()).toEqual(['yard/2 running']);
  });

  it('follow a changed configuration: with another source, as one that has its name, or out', async () => {
    const { onDemand, said, sources, settle, states } = setUp([], yard('yard', 5));
    for (const name of ['yard/1', 'yard/2']) onDemand.claim(name);
    await settle();
    said.length = 0;
    sources.apply([file('yard/2', { path: '/own', onDemand: limits })], yard('other'));
    await settle();
    expect(said).toEqual([
      'stop /yard/2: The source was changed.',
      'stop /yard/1: The source was changed.',
      'start /own',
      'start /other/1',
    ]);
    sources.apply([file('yard/2', { path: '/own', onDemand: limits })]);
    await settle();
    expect(states()).toEqual(['yard/2 running']);
    expect(said.at(-2)).toBe('end yard/1: The source was taken out of the configuration.');
    await Promise.all([sources[Symbol.asyncDispose](), settle()]);
    expect(onDemand.has('yard/1')).toBe(false);
  });
});
