import { expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import { VirtualClock } from '#util/clock.ts';
import { audio, picture, sound, video } from '../../../test/support/units.ts';
import { Forwards } from '../forwards.ts';
import { streamForward } from './forward.ts';

function setUp(url: string, { restricted = false } = {}) {
  const clock = new VirtualClock();
  const hub = new Hub({ clock });
  const forwards = new Forwards(
    [
      {
        stream: 'yard',
        url,
        trust: { fingerprint: undefined, insecure: false },
        ...(restricted && { restricted }),
      },
    ],
    { hub, clock, opener: () => streamForward(hub), onState: () => {}, random: () => 0 },
  );
  const publish = (name = 'yard') =>
    hub.publish(name, { id: name, door: 'test', remote: '' }, [video, audio], { onClose() {} });
  const status = () => forwards.list()[0]!;
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { clock, hub, forwards, publish, status, settle };
}

it('publishes a stream under another name, for as long as it is there', async () => {
  const { clock, hub, forwards, publish, status, settle } = setUp('stream:yard/copy');
  const publication = publish();
  await settle();
  expect(status()).toMatchObject({ state: 'running', url: 'stream:yard/copy' });
  const seen: unknown[] = [];
  hub.get('yard/copy')!.feed('test', [0, 1], () => ({ write: (unit) => void seen.push(unit) }));
  const units = [picture(0), sound(0), sound(1), picture(1)];
  for (const unit of units) publication.write(unit);
  expect(seen).toEqual(units);
  expect(status().bytesSent).toBe(300);
  publication.close('It is off.');
  clock.advance(15_000);
  await settle();
  expect(status()).toMatchObject({ state: 'idle', reason: 'Nobody publishes "yard" now.' });
  expect(hub.streams).toEqual([]);
  publish();
  await settle();
  expect(hub.get('yard/copy')?.state).toBe('live');
  await forwards[Symbol.asyncDispose]();
  expect(hub.streams.map(({ name }) => name)).toEqual(['yard']);
  expect(hub.get('yard')!.readerCount).toBe(0);
});

it('says why it cannot, and tries again where that may change', async () => {
  const loop = setUp('stream:yard');
  loop.publish();
  await loop.settle();
  expect(loop.status()).toMatchObject({ state: 'failed', code: 'STREAM_LOOP' });

  const api = setUp('stream:other', { restricted: true });
  api.publish();
  expect(api.status()).toMatchObject({ state: 'failed', code: 'SOURCE_FORBIDDEN' });
  expect(api.status().reason).toContain('stream:other leads to another stream of this server');

  const wrong = setUp('stream:api/x');
  wrong.publish();
  await wrong.settle();
  expect(wrong.status()).toMatchObject({ state: 'failed', code: 'STREAM_NAME_INVALID' });

  const taken = setUp('stream:other');
  const rival = taken.publish('other');
  taken.publish();
  await taken.settle();
  expect(taken.status()).toMatchObject({ state: 'waiting', code: 'STREAM_BUSY' });
  expect(taken.status().reason).toContain('Somebody else publishes "other" now.');
  rival.close('Enough.');
  taken.clock.advance(30_000);
  await taken.settle();
  expect(taken.status()).toMatchObject({ state: 'running' });
});
