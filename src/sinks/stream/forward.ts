import { Composition, type CompositionStatus } from '#hub/composition.ts';
import type { Hub } from '#hub/hub.ts';
import { ForbiddenAddress, OTHER_STREAM } from '#util/guarded-lookup.ts';
import type { ForwardConnection, ForwardEvents, ForwardTarget, OpenForward } from '../contract.ts';

/** Publishes streams under another name of the same hub, at `stream:<name>`: without a connection, and without a copy. */
export function streamForward(hub: Hub): OpenForward {
  return (target, events) => new StreamForward(target, events, hub);
}

class StreamForward implements ForwardConnection {
  readonly #events: ForwardEvents;
  readonly #composition: Composition;
  #isUp = false;
  #over = false;

  /** @throws NamedError STREAM_LOOP, SOURCE_FORBIDDEN */
  constructor({ stream, url, restricted, clock }: ForwardTarget, events: ForwardEvents, hub: Hub) {
    const name = url.replace(/^stream:/i, '');
    // Other permissions may belong to that name.
    if (restricted) throw new ForbiddenAddress(url, OTHER_STREAM);
    this.#events = events;
    this.#composition = new Composition(
      { name, parts: [{ stream: stream.name }] },
      { hub, clock, onState: () => this.#lookLater() },
    );
    this.#lookLater();
  }

  get bytesSent(): number {
    return this.#composition.status.parts.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async close(reason: string): Promise<void> {
    this.#over = true;
    await this.#composition.close(reason);
  }

  /** Nothing may be told before the forward knows its connection. */
  #lookLater(): void {
    queueMicrotask(() => {
      if (!this.#over) this.#look(this.#composition.status);
    });
  }

  #look({ state, reason = 'It is not there.', code }: CompositionStatus): void {
    if (state === 'running') {
      if (!this.#isUp) this.#events.onUp();
      this.#isUp = true;
      return;
    }
    // Its name is taken, or its stream has nothing that could be published.
    this.#over = true;
    void this.#composition.close(reason);
    this.#events.onEnd({ reason, ...(code !== undefined && { code }), final: state === 'failed' });
  }
}
