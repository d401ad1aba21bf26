import { expect, it } from 'vitest';
import { parseConfig } from '#config/load.ts';
import { Emitter } from '#util/emitter.ts';
import { type RoomParts, Rooms } from './rooms.ts';

it('a stream that ends by a change of the configuration does not bring the old forwards back', async () => {
  const config = (yard: string) =>
    parseConfig(
      `demo: false\nstreams: { yard: { forward: [rtsp://${yard}/yard] }, 'all/*': { forward: [rtsp://c/$1] }${
        yard === 'a' ? ', film: { source: testsrc }' : ''
      } }`,
      'sluice.yml',
    );
  const events = new Emitter<{ streamAdded(): void; streamRemoved(): void }>();
  let forwards: readonly string[] = [];
  const parts = {
    hub: { events, streams: [] },
    runs: { configure() {} },
    burnedIn: { configure() {} },
    rtsp: {},
    rtmp: {},
    sources: { apply: () => events.emit('streamRemoved') },
    forwards: {
      apply: (list: readonly { readonly url: string }[]) => {
        forwards = list.map(({ url }) => url);
      },
    },
  };
  const rooms = new Rooms(parts as unknown as RoomParts, config('a'));
  await rooms.apply(config('b'), 'sluice.yml');
  expect(forwards).toEqual(['rtsp://b/yard']);
});
