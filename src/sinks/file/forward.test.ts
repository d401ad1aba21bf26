import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { opusFormat } from '#codecs/opus.ts';
import { Hub } from '#hub/hub.ts';
import type { Track } from '#media/track.ts';
import { systemClock } from '#util/clock.ts';
import { av1Track } from '../../../test/support/coded-samples.ts';
import { audio, video } from '../../../test/support/units.ts';
import type { ForwardEvents, ForwardTarget } from '../contract.ts';
import type { MuxerEvents, StartMuxer } from '../muxed-forward.ts';
import { fileForward, isFileAddress } from './forward.ts';

type Request = Parameters<StartMuxer>[0];
type End = Parameters<ForwardEvents['onEnd']>[0];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-file-forward-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A writer of files, whose attempts say what they would write, or why they end. */
function setUp(tracks: readonly Track[] = [video, audio]) {
  const wanted: unknown[] = [];
  const hub = new Hub({
    startRendition: ({ request }) => {
      wanted.push(request);
      return () => {};
    },
  });
  hub.publish('yard', { id: 'a', door: 'test', remote: '' }, tracks, { onClose() {} });
  const stream = hub.get('yard')!;
  let answer: (said: { readonly request: Request; readonly events: MuxerEvents }) => void;
  const open = fileForward((request, events) => {
    answer({ request, events });
    return { stop: async () => {} };
  });
  const attempt = async (url: string, more: Partial<ForwardTarget> = {}) => {
    const said = Promise.withResolvers<{ request?: Request; events?: MuxerEvents; end?: End }>();
    answer = said.resolve;
    const connection = open(
      { stream, url, clock: systemClock, ...more },
      { onUp() {}, onEnd: (end) => said.resolve({ end }) },
    );
    return { ...(await said.promise), connection };
  };
  return { hub, stream, wanted, attempt };
}

describe('a stream that goes into a file', () => {
  it('is written as the name says, and its sound made what the file can carry', async () => {
    const { attempt, stream, wanted } = setUp([video, { id: 1, clockRate: 48_000, format: opusFormat(2) }]);
    const { request } = await attempt(`file://${join(folder, 'a.mkv')}`);
    expect(request).toEqual({
      stream: 'yard',
      tracks: [0, 1],
      to: { container: 'mkv', path: join(folder, 'a.mkv') },
    });
    const made = attempt(join(folder, 'a.flv'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(wanted).toEqual([{ codec: 'aac' }]);
    const id = stream.acquireRendition(1, 'aac').id;
    stream.renditions.announce(1, { ...audio, id });
    expect((await made).request).toMatchObject({ tracks: [0, id], to: { container: 'flv' } });
    // A file of sound has no room for the picture.
    expect((await attempt(join(folder, 'a.ogg'))).request).toMatchObject({ tracks: [1] });
  });

  it('goes on beside what was written before, and never over it', async () => {
    const { attempt } = setUp();
    const path = join(folder, 'film.mp4');
    const first = await attempt(path);
    expect(first.request?.to).toEqual({ container: 'mp4', path });
    await writeFile(path, 'a film');
    first.events?.onUp();
    first.events?.onEnd({ reason: 'The stream has other tracks now.' });
    expect((await attempt(path)).request?.to).toMatchObject({ path: join(folder, 'film.2.mp4') });
    await writeFile(join(folder, 'film.2.mp4'), 'more of it');
    expect((await attempt(path)).request?.to).toMatchObject({ path: join(folder, 'film.3.mp4') });
    // Somebody else's: what writes refuses it, unless something else is asked for.
    const other = join(folder, 'other.mp4');
    await writeFile(other, 'something else');
    expect((await attempt(other)).request?.to).toEqual({ container: 'mp4', path: other });
    expect((await attempt(other, { existing: 'number' })).request?.to).toMatchObject({
      path: join(folder, 'other.2.mp4'),
    });
    const over = await attempt(other, { existing: 'overwrite' });
    expect(over.request?.to).toMatchObject({ path: other, overwrite: true });
    // Once: what it wrote there is its own.
    over.events?.onUp();
    expect((await attempt(other, { existing: 'overwrite' })).request?.to).toEqual({
      container: 'mp4',
      path: join(folder, 'other.2.mp4'),
    });
  });

  it('that can never be ends for good, and is tried again where it may be', async () => {
    const { attempt } = setUp([av1Track]);
    expect((await attempt(join(folder, 'a.ts'))).end).toEqual({
      code: 'CODEC_UNSUPPORTED',
      reason:
        'The stream "yard" (av1) does not fit: MPEG-TS cannot carry AV1; it can carry H.264, H.265, MPEG-4 part 2.',
      final: true,
    });
    const plain = setUp();
    await expect(plain.attempt(join(folder, 'film'))).rejects.toMatchObject({ code: 'FILE_NOT_WRITABLE' });
    for (const [code, final] of [
      ['FILE_EXISTS', true],
      ['FILE_DISK_FULL', undefined],
    ] as const) {
      const ends: End[] = [];
      const hub = new Hub();
      hub.publish('yard', { id: 'a', door: 'test', remote: '' }, [video], { onClose() {} });
      const open = fileForward((_, events) => {
        setImmediate(() => events.onEnd({ reason: 'why', code }));
        return { stop: async () => {} };
      });
      const target = { stream: hub.get('yard')!, url: join(folder, 'b.mp4'), clock: systemClock };
      open(target, { onUp() {}, onEnd: (end) => ends.push(end) });
      await expect.poll(() => ends).toEqual([{ reason: 'why', code, ...(final && { final }) }]);
    }
  });

  it('over the API goes into the folders for it, and nowhere else', async () => {
    const { attempt } = setUp();
    const restricted = { restricted: true, existing: 'overwrite' } as const;
    const path = join(folder, 'api.mp4');
    expect((await attempt(path, restricted)).end).toMatchObject({ code: 'SOURCE_FORBIDDEN', final: true });
    expect((await attempt(path, { ...restricted, within: [join(folder, 'x')] })).end).toMatchObject({
      code: 'SOURCE_FORBIDDEN',
    });
    const { request } = await attempt(path, { ...restricted, within: [folder] });
    expect(request?.to).toEqual({ container: 'mp4', path });
  });

  it('is known by its address: no scheme, or that of files', () => {
    const addresses = ['film.mp4', '/a/film.mp4', './a b.mkv', 'file:///a.ts', 'rtsp://a/b', 'stream:a'];
    expect(addresses.map(isFileAddress)).toEqual([true, true, true, true, false, false]);
  });
});
