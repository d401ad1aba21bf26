import { afterEach, describe, expect, it, vi } from 'vitest';
import type { RunFrame } from '#cameras/contract.ts';
import type { FrameListener } from '#cameras/frames.ts';
import { VirtualClock } from '#util/clock.ts';
import { socketRoom } from '../../test/support/api.ts';
import { FramesSocket } from './frames-socket.ts';

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0)) await close();
});

function door() {
  const clock = new VirtualClock();
  const listeners = new Set<FrameListener>();
  const socket = new FramesSocket(
    {
      listen: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    clock,
  );
  const room = socketRoom((request, duplex, head) => socket.handleUpgrade(request, duplex, head, 'yard/1'));
  cleanUp.push(async () => {
    const closed = socket.close();
    clock.advance(1000);
    await closed;
  });
  /** A client, and what it hears: texts parsed, pictures as they are. */
  const connect = (path = '/yard/1/frames') => {
    const { client } = room.connect({}, path);
    client.removeAllListeners('message');
    const heard: unknown[] = [];
    client.on('message', (data: Buffer, binary) =>
      heard.push(binary ? data.toString('latin1') : JSON.parse(data.toString())),
    );
    return { client, heard };
  };
  const show = (frame: RunFrame) => {
    for (const listener of listeners) listener.frame?.(frame);
  };
  return { listeners, connect, show };
}

const until = (check: () => void) => vi.waitFor(check, { interval: 1, timeout: 5000 });

const frame = (pts: number, jpeg = Buffer.from(`jpeg ${pts}`), run = 'people@yard:1'): RunFrame => ({
  ...{ jpeg, pts, ntp: 1_700_000_000_000, width: 64, height: 36 },
  ...{ run, stream: 'yard/1', algorithm: 'people' },
});

describe('the WebSocket of frames', () => {
  it('says which picture comes, and gives its bytes', async () => {
    const { listeners, connect, show } = door();
    const { heard } = connect();
    await until(() => expect(listeners.size).toBe(1));
    show(frame(2 ** 32 + 9));
    await until(() => expect(heard).toHaveLength(2));
    expect(heard[0]).toEqual({
      ...{ type: 'frame', run: 'people@yard:1', stream: 'yard/1', algorithm: 'people' },
      ...{ pts: 2 ** 32 + 9, rtpTimestamp: 9, ntp: 1_700_000_000_000, width: 64, height: 36, skipped: 0 },
    });
    expect(heard[1]).toBe(`jpeg ${2 ** 32 + 9}`);
  });

  it('listens to what was asked for, and no longer than the client is there', async () => {
    const { listeners, connect } = door();
    const { client } = connect('/yard/1/frames?algorithm=people');
    await until(() => expect(listeners.size).toBe(1));
    expect([...listeners][0]).toMatchObject({
      stream: 'yard/1',
      algorithm: 'people',
      holder: { kind: 'subscriber' },
    });
    client.close();
    await until(() => expect(listeners.size).toBe(0));
  });

  it('gives a client that is slow the newest picture of each run, and keeps nothing else for it', async () => {
    const { listeners, connect, show } = door();
    const slow = connect();
    const quick = connect();
    await until(() => expect(listeners.size).toBe(2));
    slow.client.pause();
    const large = Buffer.alloc(1 << 20, 'x');
    for (let pts = 1; pts <= 20; pts++) {
      show(frame(pts, large));
      show(frame(100 + pts, large, 'barcode@yard:1'));
      await until(() => expect(quick.heard).toHaveLength(4 * pts));
    }
    slow.client.resume();
    await until(() => expect(JSON.stringify(slow.heard)).toContain('"pts":120'));
    const texts = slow.heard.filter((one) => typeof one === 'object') as { pts: number; skipped: number }[];
    expect(texts.length).toBeLessThan(10);
    expect(texts.filter(({ pts }) => pts === 20 || pts === 120).map(({ skipped }) => skipped > 10)).toEqual([
      true,
      true,
    ]);
  });
});
