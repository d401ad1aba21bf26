import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { fakeReader, TextWriter } from '../../test/support/readers.ts';
import { audio, video } from '../../test/support/units.ts';
import { Hub } from './hub.ts';
import type { Publication } from './stream.ts';

function setUp() {
  const clock = new VirtualClock();
  const hub = new Hub({ clock });
  const said: string[] = [];
  const source = {
    trouble: undefined as { reason: string; final: boolean } | undefined,
    publication: undefined as Publication | undefined,
    summon: () => void said.push('summon'),
    dismiss(reason: string) {
      said.push(`dismiss: ${reason}`);
      this.publication?.close(reason);
    },
    come() {
      const publisher = { id: 's', door: 'source', remote: 'cam' };
      this.publication = hub.publish('yard', publisher, [video, audio], { onClose: () => {} });
    },
  };
  const remove = hub.onDemand.add('yard', source);
  const read = () => {
    const stream = hub.get('yard')!;
    const feed = stream.feed('text', [0, 1], () => new TextWriter());
    const { reader } = fakeReader({ clock, onClose: () => feed.detach(reader) });
    feed.attach(reader);
    return { leave: () => feed.detach(reader), reader };
  };
  return { clock, hub, said, source, read, remove };
}

describe('a stream that comes on demand', () => {
  it('is begun at once for those who wanted it before anybody could bring it, and again after a change', () => {
    const { clock, hub } = setUp();
    const said: string[] = [];
    const summoner = {
      summon: () => void said.push('summon'),
      dismiss: () => void said.push('dismiss'),
      trouble: undefined,
    };
    const release = hub.onDemand.claim('later');
    const takeBack = hub.onDemand.add('later', summoner);
    takeBack();
    hub.onDemand.add('later', summoner);
    expect(said).toEqual(['summon', 'dismiss', 'summon']);
    release();
    release();
    clock.advance(10_000);
    expect(said).toEqual(['summon', 'dismiss', 'summon', 'dismiss']);
    hub.onDemand.claim('later');
    expect(said.at(-1)).toBe('summon');
  });

  it('is begun once for all who want it, and given to them when it is there', async () => {
    const { hub, said, source } = setUp();
    expect(said).toEqual([]);
    const first = hub.wanted('yard');
    const second = hub.wanted('yard');
    expect(said).toEqual(['summon']);
    source.come();
    expect(await first).toBe(hub.get('yard'));
    expect(await second).toBe(hub.get('yard'));
    expect(await hub.wanted('yard')).toBe(hub.get('yard'));
    expect(said).toEqual(['summon']);
  });

  it('ends 10 s after its last reader, not before, and comes again', async () => {
    const { clock, hub, said, source, read } = setUp();
    const wanted = hub.wanted('yard');
    source.come();
    await wanted;
    clock.advance(5000);
    const one = read();
    clock.advance(60_000);
    expect(said).toHaveLength(1);
    const two = read();
    one.leave();
    clock.advance(60_000);
    two.leave();
    clock.advance(9999);
    expect(hub.get('yard')?.state).toBe('live');
    clock.advance(1);
    expect(said).toEqual(['summon', 'dismiss: Nobody has read "yard" for 10 s.']);
    expect(hub.get('yard')).toBeUndefined();
    expect(clock.pending).toBe(0);
    const again = hub.wanted('yard');
    expect(said).toHaveLength(3);
    source.come();
    await again;
  });

  it('ends when somebody wanted it and never read it', async () => {
    const { clock, hub, said, source } = setUp();
    const wanted = hub.wanted('yard');
    source.come();
    await wanted;
    clock.advance(10_000);
    expect(said).toHaveLength(2);
  });

  it('is kept by who asks for it anew just before its end', async () => {
    const { clock, hub, said, source, read } = setUp();
    const wanted = hub.wanted('yard');
    source.come();
    await wanted;
    clock.advance(9990);
    await hub.wanted('yard');
    clock.advance(9990);
    expect(said).toHaveLength(1);
    read();
    clock.advance(60_000);
    expect(said).toHaveLength(1);
  });

  it('refuses who waited 10 s, with the reason of its source', async () => {
    const { clock, hub, said, source } = setUp();
    const wanted = hub.wanted('yard');
    source.trouble = { reason: 'The camera refuses.', final: false };
    clock.advance(10_000);
    await expect(wanted).rejects.toMatchObject({
      code: 'SOURCE_NOT_READY',
      status: 503,
      message: 'The source of "yard" did not bring the stream within 10 s. The camera refuses.',
    });
    clock.advance(10_000);
    expect(said).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it('refuses at once when its source can never work', async () => {
    const { hub, source } = setUp();
    source.trouble = { reason: 'The address is none.', final: true };
    await expect(hub.wanted('yard')).rejects.toThrow(
      'The source of "yard" did not bring the stream. The address is none.',
    );
  });

  it('forgets who goes away while it waits', async () => {
    const { clock, hub, said } = setUp();
    const going = new AbortController();
    const wanted = hub.wanted('yard', going.signal);
    going.abort();
    await expect(wanted).rejects.toThrow('did not wait');
    clock.advance(10_000);
    expect(said).toHaveLength(2);
  });

  it('stays while it is claimed, also without readers and while it fails', () => {
    const { clock, hub, said } = setUp();
    const release = hub.onDemand.claim('yard');
    clock.advance(3_600_000);
    expect(said).toEqual(['summon']);
    release();
    release();
    clock.advance(10_000);
    expect(said).toHaveLength(2);
  });

  it('keeps its readers for the hold while its source is away', async () => {
    const { clock, hub, said, source, read } = setUp();
    const wanted = hub.wanted('yard');
    source.come();
    const stream = await wanted;
    const { reader } = read();
    source.publication?.close('The camera is gone.');
    clock.advance(12_000);
    source.come();
    expect(hub.get('yard')).toBe(stream);
    expect(reader.closed).toBe(false);
    source.publication?.close('The camera is gone.');
    clock.advance(15_000);
    expect(reader.closed).toBe(true);
    expect(said).toHaveLength(1);
    clock.advance(10_000);
    expect(said).toHaveLength(2);
  });

  it('ends with its place in the configuration', () => {
    const { hub, said, remove } = setUp();
    hub.onDemand.claim('yard');
    remove();
    expect(said).toHaveLength(2);
    expect(hub.onDemand.has('yard')).toBe(false);
  });
});

it('a stream that nobody brings is not found', async () => {
  await expect(new Hub().wanted('x')).rejects.toMatchObject({ code: 'STREAM_NOT_FOUND', status: 404 });
});
