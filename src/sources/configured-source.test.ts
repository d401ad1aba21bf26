import { describe, expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import type { Outlet, Publishing } from '#hub/publication.ts';
import { VirtualClock } from '#util/clock.ts';
import { audio, picture, video } from '../../test/support/units.ts';
import type { FileSettings, SourceSettings } from './configured.ts';
import { ConfiguredSources } from './configured-sources.ts';
import type { SourceTask } from './contract.ts';

const file = (path: string, more: Partial<FileSettings> = {}): FileSettings => ({
  kind: 'file',
  stream: 'yard',
  path,
  loop: true,
  onDemand: undefined,
  ...more,
});
const limits = { startMs: 10_000, closeMs: 1000 };
const withFill = file('/cam', { fill: file('/mic'), onDemand: limits });
const withStandby = file('/cam', { standby: { path: '/card.png', afterMs: 3000 } });

interface Part {
  publication: Outlet | undefined;
  say(status: Omit<SourceTask['status'], 'since'>): void;
}

/** Sources whose tasks the test plays, one for each path. */
function setUp(settings: SourceSettings) {
  const clock = new VirtualClock();
  const hub = new Hub({ clock });
  const said: string[] = [];
  const parts = new Map<string, Part>();
  const task = (path: string, onState: (status: SourceTask['status']) => void): SourceTask => {
    said.push(`start ${path}`);
    let status: SourceTask['status'] = { state: 'starting', since: clock.now() };
    const part: Part = {
      publication: undefined,
      say: (next) => {
        status = { ...next, since: clock.now() };
        onState(status);
      },
    };
    parts.set(path, part);
    return {
      get status() {
        return status;
      },
      stop: async (reason = '') => {
        said.push(`stop ${path}: ${reason}`);
        part.publication?.close(reason);
      },
    };
  };
  const sources = new ConfiguredSources({
    settings: [settings],
    clock,
    onDemand: hub.onDemand,
    start: (one, onState) => task(one.kind === 'file' ? one.path : '', onState),
    standby: { hub, start: ({ path }, onState) => task(path, onState) },
    onState: ({ part = 'main', state }) => said.push(`${part} ${state}`),
    onFillRemoved: (stream, reason) => hub.fills.remove(stream, reason),
    onRemoved: (stream, reason) => hub.sourceRemoved(stream, reason),
  });
  /** A task publishes, and says so. */
  const come = (path: string, where: Publishing, tracks: readonly (typeof video | typeof audio)[]) => {
    const part = parts.get(path)!;
    part.publication = where.publish('yard', { id: path, door: 'source', remote: '' }, tracks, {
      onClose: () => part.say({ state: 'done' }),
    });
    part.say({ state: 'running' });
    return part;
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { clock, hub, said, sources, parts, come, settle };
}

describe('a source with a second one', () => {
  it('begins and ends both with those who want the stream', async () => {
    const { clock, hub, said, settle } = setUp(withFill);
    const release = hub.onDemand.claim('yard');
    await settle();
    expect(said.filter((what) => what.startsWith('start'))).toEqual(['start /cam', 'start /mic']);
    release();
    clock.advance(1000);
    await settle();
    expect(said.filter((what) => what.startsWith('stop'))).toEqual([
      'stop /cam: Nobody has read "yard" for 1 s.',
      'stop /mic: Nobody has read "yard" for 1 s.',
    ]);
  });

  it('holds who waits for the stream until both are there', async () => {
    const { hub, come, settle } = setUp(withFill);
    let tracks = 0;
    const wanted = hub.wanted('yard').then((stream) => {
      tracks = stream.tracks.length;
    });
    await settle();
    come('/cam', hub, [video]);
    await settle();
    expect(tracks).toBe(0);
    come('/mic', hub.fills, [audio]);
    await wanted;
    expect(tracks).toBe(2);
  });

  it('holds nobody longer than 2 s for the second one, and not when that fails', async () => {
    const { clock, hub, parts, come, settle } = setUp(withFill);
    const wanted = hub.wanted('yard');
    await settle();
    come('/cam', hub, [video]);
    clock.advance(2000);
    expect((await wanted).tracks).toEqual([video]);
    expect(await hub.wanted('yard')).toBe(hub.get('yard'));
    const other = setUp(withFill);
    const held = other.hub.wanted('yard');
    await settle();
    other.come('/cam', other.hub, [video]);
    other.parts.get('/mic')!.say({ state: 'waiting', reason: 'It is off.' });
    expect((await held).tracks).toEqual([video]);
    parts.get('/mic')!.say({ state: 'waiting', reason: 'It is off.' });
  });

  it('shows the state of both, and is not touched when only the second one changes', async () => {
    const { hub, said, sources, parts, come, settle } = setUp(withFill);
    const release = hub.onDemand.claim('yard');
    await settle();
    come('/cam', hub, [video]);
    parts.get('/mic')!.say({ state: 'waiting', reason: 'It is off.', code: 'X' });
    expect(sources.list()).toMatchObject([
      {
        address: '/cam',
        state: 'running',
        fill: { address: '/mic', state: 'waiting', reason: 'It is off.', code: 'X' },
      },
    ]);
    said.length = 0;
    sources.apply([{ ...withFill, fill: file('/other') }]);
    await settle();
    expect(said.filter((what) => !what.startsWith('fill'))).toEqual([
      'stop /mic: The source was changed.',
      'start /other',
    ]);
    come('/other', hub.fills, [audio]);
    expect(hub.get('yard')!.tracks).toHaveLength(2);
    sources.apply([{ ...withFill, fill: undefined }]);
    await settle();
    expect(hub.get('yard')!.tracks).toEqual([video]);
    release();
  });
});

describe('a source with a stand-by', () => {
  it('has it shown 3 s after it did not come, and until the hub has its picture', async () => {
    const { clock, hub, said, parts, come, settle } = setUp(withStandby);
    parts.get('/cam')!.say({ state: 'waiting', reason: 'It is off.' });
    clock.advance(2999);
    await settle();
    expect(said).not.toContain('start /card.png');
    clock.advance(1);
    await settle();
    expect(said).toContain('start /card.png');
    come('/card.png', hub.standIns, [video]);
    expect(hub.get('yard')!.state).toBe('standby');
    const cam = come('/cam', hub, [video]);
    expect(hub.get('yard')!.state).toBe('standby');
    expect(said).not.toContain('stop /card.png: The source is back.');
    cam.publication!.write(picture(0));
    expect(said.at(-1)).toBe('standby idle');
    expect(hub.get('yard')!.state).toBe('live');
  });

  it('is not begun for a source that is back in time, and begun anew each time it is lost', async () => {
    const { clock, said, parts, settle } = setUp(withStandby);
    const begun = () => said.filter((what) => what === 'start /card.png').length;
    const cam = parts.get('/cam')!;
    clock.advance(2000);
    cam.say({ state: 'running' });
    clock.advance(60_000);
    await settle();
    expect(begun()).toBe(0);
    cam.say({ state: 'waiting', reason: 'It is off.' });
    clock.advance(3000);
    await settle();
    expect(begun()).toBe(1);
    // It is still being begun when the source is back.
    cam.say({ state: 'running' });
    expect(said.at(-2)).toBe('standby idle');
    await settle();
    cam.say({ state: 'waiting', reason: 'It is off.' });
    clock.advance(3000);
    await settle();
    expect(begun()).toBe(2);
  });

  it('is like the stream was, also when that ended meanwhile', async () => {
    const { clock, hub, parts, settle } = setUp(withStandby);
    const like: unknown[] = [];
    const sources = new ConfiguredSources({
      settings: [{ ...withStandby, stream: 'gate' }],
      clock,
      onDemand: hub.onDemand,
      start: (_, onState) => {
        parts.set('gate', {
          publication: undefined,
          say: (status) => onState({ ...status, since: clock.now() }),
        });
        return { status: { state: 'waiting', reason: 'It is off.', since: 0 }, stop: async () => {} };
      },
      standby: {
        hub,
        start: (wish) => {
          like.push(...wish.like);
          return { status: { state: 'starting', since: 0 }, stop: async () => {} };
        },
      },
      onState: () => {},
      onRemoved: () => {},
    });
    hub
      .publish('gate', { id: 'x', door: 'test', remote: '' }, [video, audio], { onClose: () => {} })
      .close('It is off.');
    expect(hub.get('gate')).toBeUndefined();
    clock.advance(3000);
    await settle();
    expect(like).toEqual([video, audio]);
    await sources[Symbol.asyncDispose]();
  });

  it('is not shown for a film that came to its end, nor while somebody else publishes', async () => {
    const { clock, hub, said, parts, settle } = setUp(withStandby);
    parts.get('/cam')!.say({ state: 'done' });
    clock.advance(10_000);
    await settle();
    expect(said).not.toContain('start /card.png');
    const other = setUp(withStandby);
    other.hub.publish('yard', { id: 'obs', door: 'rtmp', remote: '' }, [video], { onClose: () => {} });
    other.parts.get('/cam')!.say({ state: 'waiting', reason: 'Another publisher took over.' });
    other.clock.advance(10_000);
    await settle();
    expect(other.said).not.toContain('start /card.png');
    hub.close('over');
  });

  it('goes with those who want the stream, and leaves no timer', async () => {
    const { clock, hub, said, sources, settle } = setUp({ ...withStandby, onDemand: limits });
    const wanted = hub.wanted('yard').catch((error: Error) => error.message);
    await settle();
    clock.advance(3000);
    await settle();
    expect(said).toContain('start /card.png');
    clock.advance(10_000);
    expect(await wanted).toContain('did not bring the stream within 10 s');
    clock.advance(1000);
    await settle();
    expect(said).toContain('stop /card.png: Nobody has read "yard" for 1 s.');
    await sources[Symbol.asyncDispose]();
    expect(clock.pending).toBe(0);
  });
});
