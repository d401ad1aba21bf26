import type { AlgorithmFactory, Context, Findings, Frame } from '#algorithms/contract.ts';

/** An algorithm that goes wrong when it is told to; for tests of whoever has to live with that. */
const flaky: AlgorithmFactory = () => {
  let frames = 0;
  const hoard: Buffer[] = [];
  return {
    detect(_frame: Frame, { parameters }: Context): Findings {
      frames += 1;
      if (frames === parameters['throwAt']) throw new Error(`failed on frame ${frames}, as asked`);
      if (frames === parameters['dieAt']) process.kill(process.pid, 'SIGKILL');
      // Blocks without turning the processor.
      if (frames === parameters['hangAt']) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      const growMb = Number(parameters['growMb']);
      if (growMb > 0) hoard.push(Buffer.alloc(growMb * 2 ** 20, 1));
      return { objects: [], state: { frames } };
    },
    async [Symbol.asyncDispose]() {},
  };
};

export default flaky;
