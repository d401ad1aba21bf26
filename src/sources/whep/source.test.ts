import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import { eventually } from '../../../test/support/sluice.ts';
import { WhepSource } from './source.ts';

it('a WHEP source that came over the API asks nothing of this machine, by address or by name', async () => {
  let connections = 0;
  const server = createServer(() => connections++).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const hub = new Hub({});
  try {
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]']) {
      const source = new WhepSource({
        hub,
        stream: 'a',
        url: `whep://${host}:${port}/a/whep`,
        restricted: true,
        onState() {},
      });
      await eventually(() => source.status.code);
      expect(source.status, host).toMatchObject({ code: 'SOURCE_FORBIDDEN' });
      await source.stop();
    }
    expect(connections).toBe(0);
  } finally {
    hub.close('The test is over.');
    server.close();
  }
});
