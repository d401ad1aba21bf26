import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that wait for long: begun last, they would keep everything waiting alone. */
const LONG = /\/(dropped-link|pipelines-run|sources-ffmpeg|pipelines-file|ladder|clocks)\.test\.ts$/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => Number(LONG.test(moduleId));
    return (await super.sort(files)).toSorted((a, b) => isLong(b) - isLong(a));
  }
}

// Unit tests stand beside their file and run on bytes and virtual time. The others start real programs on free ports:
// media tests mostly wait for pictures to come in real time, so five files run at a time, and tests of pages
// wait for what a page shows, two at a time; interop and browser tests judge how fast or how smoothly something happens, so
// they have the machine to themselves.
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
          // Hours of virtual time take seconds, and many of them on a busy machine.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'media',
          include: ['test/media/**/*.test.ts'],
          maxWorkers: 5,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'pages',
          include: ['test/pages/**/*.test.ts'],
          maxWorkers: 2,
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
