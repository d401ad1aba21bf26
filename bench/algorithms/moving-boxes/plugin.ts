import { setTimeout as delay } from 'node:timers/promises';
import type { AlgorithmFactory } from '#algorithms/contract.ts';

/** Sees three objects in every picture, which move, and takes no longer than it is told to: what is left is all but inference. */
const movingBoxes: AlgorithmFactory = () => ({
  async detect({ pts }, { parameters }) {
    const takes = Number(parameters['takesMs'] ?? 0);
    if (takes > 0) await delay(takes);
    const along = (pts / 900_000) % 1;
    return {
      objects: [0.1, 0.4, 0.7].map((y) => ({
        label: 'object',
        score: 0.9,
        box: [along * 0.8, y, 0.1, 0.2] as const,
      })),
    };
  },
  async [Symbol.asyncDispose]() {},
});

export default movingBoxes;
