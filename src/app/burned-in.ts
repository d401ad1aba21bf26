import { BurnedInViews, type ViewMaker } from '#cameras/burned-in-views.ts';
import type { RunManager } from '#cameras/runs.ts';
import { Composition } from '#hub/composition.ts';
import type { Hub } from '#hub/hub.ts';
import { systemClock } from '#util/clock.ts';
import type { Logger } from './logger.ts';

/** A model may have to be loaded, and the picture waits for its first result: longer than a camera takes to come. */
const LIMITS = { startMs: 20_000, closeMs: 10_000 } as const;
/** Sound waits for the picture so much longer than that does for its results: it has to be encoded too. */
const HOLD_MARGIN_MS = 3000;
/** Of what waits: as encoded pictures in the worker, and the sound beside them. */
const HOLD_BYTES = 32 << 20;

/** Views of runs, as streams of the hub that come when they are wanted: the picture made by a worker, the sound as it is. */
export function createBurnedIn({
  hub,
  runs,
  log,
}: {
  readonly hub: Hub;
  readonly runs: RunManager;
  readonly log: Logger;
}): BurnedInViews {
  const views: BurnedInViews = new BurnedInViews({
    runs,
    offer: (name, summoner) => hub.onDemand.add(name, summoner, LIMITS),
    make: ({ name, stream, run, burnIn }): ViewMaker => {
      const maxDelayMs = burnIn.maxDelaySeconds * 1000;
      const request = {
        run,
        maxDelayMs,
        ...(burnIn.labels ? {} : ({ labels: false } as const)),
        ...(burnIn.clock ? ({ clock: true } as const) : {}),
        ...(burnIn.hold ? ({ hold: true } as const) : {}),
      };
      const composition = new Composition(
        {
          name,
          parts: [
            { stream, kind: 'video', rendition: { video: { codec: 'h264', burnIn: request } } },
            { stream, kind: 'audio' },
          ],
          holdMs: maxDelayMs + HOLD_MARGIN_MS,
          holdBytes: HOLD_BYTES,
        },
        {
          ...{ hub, clock: systemClock },
          onState: ({ state, reason }) => {
            const level = state === 'failed' ? 'warn' : 'debug';
            log[level](
              { stream: name },
              `burned-in view ${state}${reason === undefined ? '' : `: ${reason}`}`,
            );
          },
        },
      );
      return {
        get trouble() {
          const { state, reason } = composition.status;
          if (state === 'running') return undefined;
          return { reason: reason ?? `"${name}" is being made.`, final: state === 'failed' };
        },
        close: (reason) => void composition.close(reason),
      };
    },
  });
  hub.onDemand.offerings.add(views);
  return views;
}
