import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { fakeReader, TextWriter } from '../../test/support/readers.ts';
import { video } from '../../test/support/units.ts';
import { Hub, type HubSettings } from './hub.ts';
import { defaultReaderLimits } from './reader.ts';

const settings: HubSettings = { readerLimits: defaultReaderLimits, holdMs: 15_000, takeover: true };

function setUp() {
  const clock = new VirtualClock();
  const hub = new Hub({ clock });
  const publish = () =>
    hub.publish('live', { id: 'p', door: 'test', remote: 'test' }, [video], { onClose() {} });
  const publication = publish();
  const reasons: string[] = [];
  const feed = hub.get('live')!.feed('text', [0], () => new TextWriter());
  const { reader } = fakeReader({ clock, onClose: (reason) => reasons.push(reason) });
  feed.attach(reader);
  return { clock, hub, publish, publication, reasons };
}

describe('settings of the hub that change while it works', () => {
  it('hold readers as long as they say from then on, also those that are being held', () => {
    const { clock, hub, publication, reasons } = setUp();
    publication.close('The camera went.');
    clock.advance(4000);
    hub.configure({ ...settings, holdMs: 5000 });
    expect(hub.get('live')!.held?.ms).toBe(5000);
    clock.advance(999);
    expect(reasons).toEqual([]);
    clock.advance(1);
    expect(reasons).toEqual(['The camera went. No publisher came back within 5 s.']);
    expect(clock.pending).toBe(0);
  });

  it('let nobody wait longer than is left, and end at once what has waited longer already', () => {
    const { clock, hub, publish, publication, reasons } = setUp();
    hub.configure({ ...settings, holdMs: 60_000 });
    publication.close('The camera went.');
    clock.advance(30_000);
    publish();
    clock.advance(60_000);
    expect(reasons).toEqual([]);
    hub.get('live')!.end('It is over.');
    hub.configure({ ...settings, holdMs: 0 });
    expect(clock.pending).toBe(0);
  });

  it('allow and forbid taking over at once, and give new readers the new limits', () => {
    const { hub, publish } = setUp();
    const readerLimits = { ...defaultReaderLimits, queueMs: 500 };
    hub.configure({ ...settings, takeover: false, readerLimits });
    expect(() => publish()).toThrow('Somebody is already publishing');
    expect(hub.options.readerLimits).toBe(readerLimits);
    hub.configure(settings);
    expect(() => publish()).not.toThrow();
  });
});
