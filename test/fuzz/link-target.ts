import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { Hub } from '#hub/hub.ts';
import { LinkConnection } from '#link/connection.ts';
import type { LinkServerEvents } from '#link/events.ts';
import { encodeMessage } from '#link/framing.ts';
import type { WorkerToHub } from '#link/messages.ts';
import { VirtualClock } from '#util/clock.ts';
import { Emitter } from '#util/emitter.ts';
import { aacTrack, h264Track, picture } from '../support/fmp4-units.ts';
import type { FuzzTarget } from './run.ts';

const messages: readonly WorkerToHub[] = [
  { type: 'hello', worker: 'w', pid: 7 },
  { type: 'pong', sequence: 1, rssBytes: 2 },
  { type: 'log', level: 'info', message: 'text' },
  { type: 'task.state', task: 't', epoch: 1, state: 'failed', reason: 'why', code: 'WHY' },
  { type: 'task.result', task: 't', epoch: 1, result: { pts: 1 } },
  { type: 'task.statistics', task: 't', epoch: 1, statistics: {} },
  { type: 'subscribe', subscription: 1, stream: 'live', tracks: [1, 2] },
  { type: 'subscribe', subscription: 4, stream: 'live', kind: 'video', held: true },
  { type: 'want', subscription: 4, pts: 90_000, keyframe: true },
  { type: 'want', subscription: 4, all: true },
  { type: 'unsubscribe', subscription: 1 },
  { type: 'publish', publication: 2, task: 't', epoch: 1, stream: 'made', tracks: [h264Track, aacTrack] },
  {
    type: 'publish',
    publication: 3,
    task: 't',
    epoch: 1,
    stream: 'live',
    tracks: [aacTrack],
    rendition: { of: 2 },
  },
  { type: 'unpublish', publication: 2, reason: 'done' },
];

/** A worker's connection that hears a hello and then anything. */
export const linkTarget: FuzzTarget = {
  name: 'link messages',
  share: 0.5,
  seeds: () => messages.map((message) => Buffer.from(encodeMessage(message))),
  open: () => ({
    take(input) {
      const clock = new VirtualClock();
      const hub = new Hub({ clock });
      const live = hub.publish('live', { id: 'p', door: 'test', remote: '' }, [h264Track, aacTrack], {
        onClose() {},
      });
      const socket = Object.assign(new EventEmitter(), {
        writable: true,
        writableLength: 0,
        write: () => true,
      });
      const ws = Object.assign(new EventEmitter(), {
        ...{ readyState: 1, OPEN: 1, send() {}, close() {} },
        terminate: () => void ws.emit('close'),
      });
      new LinkConnection(
        ws as unknown as WebSocket,
        socket as unknown as Socket,
        hub,
        new Emitter<LinkServerEvents>(),
        () => true,
      );
      const say = (text: string | Buffer) => ws.emit('message', Buffer.from(text), false);
      say(encodeMessage(messages[0]!));
      say(input);
      live.write(picture(90_000, { keyframe: true }));
      ws.emit('close');
      hub.close('over');
    },
  }),
};
