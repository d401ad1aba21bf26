import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import { Hub } from '#hub/hub.ts';
import { systemClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { h264Track } from '../../test/support/fmp4-units.ts';
import type { ForwardConnection, OpenForward } from './contract.ts';
import { rtmpForward } from './rtmp/forward.ts';
import { rtspForward } from './rtsp/forward.ts';
import { whipForward } from './whip/forward.ts';

const hub = new Hub({});
const { stream } = hub.publish('yard', { id: 'p', door: 'test', remote: '' }, [h264Track], { onClose() {} });
let connections = 0;
const server = createServer((socket) => {
  connections++;
  socket.destroy();
});
let port: number;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  hub.close('The test is over.');
  server.close();
});

/** How an attempt ends. */
async function end(open: OpenForward, url: string, restricted: boolean): Promise<string | undefined> {
  const ended = Promise.withResolvers<string | undefined>();
  let connection: ForwardConnection | undefined;
  try {
    connection = open(
      { stream, url, restricted, clock: systemClock },
      { onUp() {}, onEnd: ({ code }) => ended.resolve(code) },
    );
    return await ended.promise;
  } catch (error) {
    if (error instanceof NamedError) return error.code;
    throw error;
  } finally {
    await connection?.close('The test is over.');
  }
}

describe('a forward that came over the API', () => {
  it.each<[string, OpenForward]>([
    ['rtsp', rtspForward({ hub, sequences: new RtpSequences() })],
    ['rtsps', rtspForward({ hub, sequences: new RtpSequences() })],
    ['rtmp', rtmpForward({ hub })],
    ['rtmps', rtmpForward({ hub })],
    ['whip', whipForward({ hub })],
    ['whips', whipForward({ hub })],
  ])('over %s asks nothing of this machine, by address or by name', async (scheme, open) => {
    const before = connections;
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '169.254.169.254'])
      expect(await end(open, `${scheme}://${host}:${port}/app/copy`, true), host).toBe('SOURCE_FORBIDDEN');
    expect(connections).toBe(before);
    // One that was written by hand does.
    expect(await end(open, `${scheme}://localhost:${port}/app/copy`, false)).not.toBe('SOURCE_FORBIDDEN');
    expect(connections).toBeGreaterThan(before);
  });
});
