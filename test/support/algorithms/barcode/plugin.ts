import { setTimeout as delay } from 'node:timers/promises';
import type { AlgorithmFactory, Context, Findings, Frame } from '#algorithms/contract.ts';
import { readBarcode } from './read.ts';

/** Reads the frame number that the generated test clip carries in its picture, and says it back. */
const barcode: AlgorithmFactory = () => ({
  // It mostly waits.
  isConcurrent: true,
  async detect(frame: Frame, { parameters }: Context): Promise<Findings> {
    const number = readBarcode(frame);
    const wait = Number(parameters['delayMs'] ?? 0);
    if (wait > 0) await delay(wait);
    if (number === undefined) return { objects: [] };
    // It moves, so that a viewer has something to interpolate.
    const box = [0.05 + (number % 100) / 200, 0.3, 0.2, 0.2] as const;
    return { objects: [{ label: 'barcode', score: 1, box, attributes: { number } }], state: { number } };
  },
  async [Symbol.asyncDispose]() {},
});

export default barcode;
