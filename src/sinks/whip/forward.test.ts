import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { opusFormat } from '#codecs/opus.ts';
import { Hub } from '#hub/hub.ts';
import { systemClock } from '#util/clock.ts';
import { audio } from '../../../test/support/units.ts';
import type { ForwardEvents } from '../contract.ts';
import { whipForward } from './forward.ts';

it('a forward over WHIP ends, to be made anew, when what makes its sound gives up', async () => {
  const asked = Promise.withResolvers<void>();
  // It never answers.
  const server = createServer(() => asked.resolve()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  let id = 0;
  let giveUp: ((reason: string, more: { readonly retried: boolean }) => void) | undefined;
  const hub = new Hub({
    startRendition: (wanted, onFailure) => {
      id = wanted.id;
      giveUp = onFailure;
      return () => {};
    },
  });
  hub.publish('yard', { id: 'a', door: 'test', remote: '' }, [audio], { onClose() {} });
  const stream = hub.get('yard')!;
  const end = Promise.withResolvers<Parameters<ForwardEvents['onEnd']>[0]>();
  const { port } = server.address() as AddressInfo;
  const connection = whipForward({ hub })(
    { stream, url: `whip://127.0.0.1:${port}/yard/whip`, clock: systemClock },
    { onUp() {}, onEnd: end.resolve },
  );
  await new Promise((resolve) => setImmediate(resolve));
  stream.renditions.announce(audio.id, { id, clockRate: 48_000, format: opusFormat(2) });
  await asked.promise;
  giveUp!('Its worker is gone.', { retried: false });
  expect(await end.promise).toMatchObject({ code: 'RENDITION_FAILED' });
  await connection.close('The test is over.');
  expect(stream.renditions.count).toBe(0);
  hub.close('The test is over.');
  server.close();
});
