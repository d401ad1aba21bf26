import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { RunFrame } from '#cameras/contract.ts';
import type { Frames } from '#cameras/frames.ts';
import { rtpTimestamp } from '#media/timestamps.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { SocketDoor } from './socket-door.ts';

/** Text before each picture. */
export interface FrameMessage {
  readonly type: 'frame';
  readonly run: string;
  readonly stream: string;
  readonly algorithm: string;
  /** 90 kHz ticks: those of the result that was made from the same picture. */
  readonly pts: number;
  readonly rtpTimestamp: number;
  /** When it was captured, ms since 1970. */
  readonly ntp: number;
  readonly width: number;
  readonly height: number;
  /** Pictures of this run that the client did not get, because it had not taken the one before. */
  readonly skipped: number;
}

/**
 * The WebSocket `/<stream>/frames`: the pictures that algorithms looked at, each a text message that says which
 * ({@link FrameMessage}) and a binary one, the JPEG. `?algorithm=` has those of one algorithm alone.
 *
 * A client that is slow gets the newest picture when it has taken the one before; nothing else waits for it.
 */
export class FramesSocket {
  readonly #frames: Pick<Frames, 'listen'>;
  readonly #door: SocketDoor;

  constructor(frames: Pick<Frames, 'listen'>, clock: Clock = systemClock) {
    this.#frames = frames;
    this.#door = new SocketDoor(clock);
  }

  /** Takes a WebSocket upgrade for the frames of a stream, which need not be there yet. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, stream: string): void {
    const query = new URLSearchParams((request.url ?? '').split('?').slice(1).join('?'));
    const algorithm = query.get('algorithm') ?? undefined;
    this.#door.accept(request, socket, head, (client) => {
      const lines = new Map<string, Line>();
      const leave = this.#frames.listen({
        stream,
        algorithm,
        holder: { kind: 'subscriber', id: randomUUID(), reason: `looks at frames of ${stream}` },
        frame: (frame) => {
          const line = lines.get(frame.run) ?? new Line(client);
          lines.set(frame.run, line);
          line.show(frame);
        },
      });
      client.on('close', leave);
    });
  }

  /** Ends all sockets, and with them what they keep at work. Idempotent. */
  async close(): Promise<void> {
    await this.#door.close('The server stops.');
  }
}

/** The frames of one run on their way to one client: one under way, and the newest of those that came meanwhile. */
class Line {
  readonly #client: WebSocket;
  #isBusy = false;
  #waiting: RunFrame | undefined;
  #skipped = 0;

  constructor(client: WebSocket) {
    this.#client = client;
  }

  show(frame: RunFrame): void {
    if (!this.#isBusy) return this.#send(frame);
    if (this.#waiting) this.#skipped++;
    this.#waiting = frame;
  }

  #send({ jpeg, ...about }: RunFrame): void {
    this.#isBusy = true;
    const message: FrameMessage = {
      type: 'frame',
      ...about,
      rtpTimestamp: rtpTimestamp(about.pts),
      skipped: this.#skipped,
    };
    this.#client.send(JSON.stringify(message));
    this.#client.send(jpeg, { binary: true }, (error) => {
      this.#isBusy = false;
      const next = this.#waiting;
      this.#waiting = undefined;
      if (next && !error) this.#send(next);
    });
  }
}
