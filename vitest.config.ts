import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take long: begun last, they would keep everything waiting alone. */
const LONG =
  /\/(dropped-link|commands|pipelines-run|sources-ffmpeg|pipelines-file|clocks|clocks-hour|boxes|ladder|publish|whip|soak|readers|sound|frame-exact)\.test\.ts$/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => Number(LONG.test(moduleId));
    return (await super.sort(files)).toSorted((a, b) => isLong(b) - isLong(a));
  }
}

/** Tests that run real programs in real time. */
interface Programs {
  /** Also the name of the folder in `test/`. */
  readonly name: string;
  readonly filesAtATime: number;
  readonly testTimeout: number;
}

// Unit tests stand beside their file and run on bytes and virtual time. The others start real programs on free ports:
// media tests mostly wait for pictures to come in real time; tests of pages wait for what a page shows; interop tests
// look at what programs and processes leave behind; browser tests look at what a browser presents, which takes up most
// of a core. Timed tests judge how fast something happens, so they have the machine to themselves.
const programs: readonly Programs[] = [
  { name: 'media', filesAtATime: 5, testTimeout: 120_000 },
  { name: 'pages', filesAtATime: 3, testTimeout: 240_000 },
  { name: 'interop', filesAtATime: 2, testTimeout: 120_000 },
  { name: 'timed', filesAtATime: 1, testTimeout: 120_000 },
  { name: 'browser', filesAtATime: 2, testTimeout: 180_000 },
];

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        // The page's package has no imports of this name by itself.
        resolve: { alias: [{ find: /^#/, replacement: fileURLToPath(new URL('src/', import.meta.url)) }] },
        test: {
          name: 'unit',
          include: [
            'src/**/*.test.ts',
            'scripts/**/*.test.ts',
            'web/src/**/*.test.ts',
            'test/unit/**/*.test.ts',
          ],
          // By itself vitest leaves a core free, which is one of two.
          maxWorkers: '100%',
          // Hours of virtual time take seconds, and many of them on a busy machine.
          testTimeout: 60_000,
        },
      },
      ...programs.map(({ name, filesAtATime, testTimeout }) => ({
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          maxWorkers: filesAtATime,
          testTimeout,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 15_000 } },
          // A machine that is busy with something else may spoil one attempt. `npm test` names what needed a second.
          retry: 1,
        },
      })),
    ],
  },
});
