import type { FaultCamera } from './camera.ts';

export interface PlayoutHandlers {
  packet(track: number, kind: 'rtp' | 'rtcp', bytes: Buffer): void;
  /** The camera breaks off without a goodbye. */
  die(): void;
  /** The camera has nothing more to send. */
  end(): void;
}

/** Sends what a camera has when it is due, while it plays or records. */
export class Playout {
  running = false;
  readonly #camera: FaultCamera;
  readonly #handlers: PlayoutHandlers;
  #waiting: ReturnType<FaultCamera['next']>;

  constructor(camera: FaultCamera, handlers: PlayoutHandlers) {
    this.#camera = camera;
    this.#handlers = handlers;
  }

  /** Sends what is due at `ms` of the camera's time; gives when the next packet is due, undefined when nothing is. */
  advance(ms: number): number | undefined {
    if (!this.running) return undefined;
    for (;;) {
      this.#waiting ??= this.#camera.next();
      const event = this.#waiting;
      if (!event) return undefined;
      if (event.at > ms) return event.at;
      this.#waiting = undefined;
      if (event.kind === 'rtp' || event.kind === 'rtcp') {
        this.#handlers.packet(event.track, event.kind, event.bytes);
        continue;
      }
      this.running = false;
      if (event.kind === 'die') this.#handlers.die();
      else this.#handlers.end();
      return undefined;
    }
  }
}
