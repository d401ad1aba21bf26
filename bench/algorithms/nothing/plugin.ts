import type { AlgorithmFactory } from '#algorithms/contract.ts';

/** Looks at every picture and finds nothing: what is left is what Sluice costs around an algorithm. */
const nothing: AlgorithmFactory = () => ({
  detect: () => ({ objects: [] }),
  async [Symbol.asyncDispose]() {},
});

export default nothing;
