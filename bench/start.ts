import { WebSocket } from 'ws';
import { TestBrowser } from '../test/support/browser.ts';
import { processTree, proportionalMb } from './process-tree.ts';
import { sleep, startServer } from './server.ts';

export interface StartFigures {
  /** From the start of the process to its first answer over HTTP, without the demonstration camera, ms, sorted. */
  readonly answerMs: readonly number[];
  /** From the start of the process to the first picture of the demonstration camera on the page, ms, sorted. */
  readonly pictureMs: readonly number[];
  /** Memory of the idle server process, MB (RSS). */
  readonly idleMb: number;
  /** Memory of all processes while people are detected on the demonstration camera, MB. */
  readonly detecting: { readonly pss: number; readonly rss: number };
}

/** Starts the server five times, and three times with a browser that is already waiting. */
export async function measureStart(): Promise<StartFigures> {
  const answerMs: number[] = [];
  for (let n = 0; n < 5; n++) {
    await using server = await startServer('demo: false');
    answerMs.push(server.startMs);
  }
  await using browser = await TestBrowser.launch();
  const pictureMs: number[] = [];
  for (let n = 0; n < 3; n++) {
    const begun = performance.now();
    await using server = await startServer();
    const page = await browser.open(`${server.http}/?stream=demo`);
    // Run in the page, whose types are not those of this file.
    await page.waitForFunction(
      "document.querySelector('canvas')?.width > 0 && document.querySelector('video')?.currentTime > 0",
    );
    pictureMs.push(performance.now() - begun);
    await page.close();
  }
  const ascending = (a: number, b: number) => a - b;
  return {
    answerMs: answerMs.toSorted(ascending),
    pictureMs: pictureMs.toSorted(ascending),
    idleMb: await idleMemory(),
    detecting: await detectingMemory(),
  };
}

async function idleMemory(): Promise<number> {
  await using server = await startServer('demo: false');
  await sleep(5000);
  return processTree(server.pid)[0]!.rssMb;
}

async function detectingMemory(): Promise<StartFigures['detecting']> {
  await using server = await startServer();
  const address = `${server.http.replace('http', 'ws')}/demo`;
  const sockets = ['mse', 'results'].map((door) => new WebSocket(`${address}/${door}`));
  for (const socket of sockets) socket.on('message', () => {});
  await sleep(15_000);
  const tree = processTree(server.pid);
  const rss = tree.reduce((total, { rssMb }) => total + rssMb, 0);
  const pss = tree.reduce((total, { pid }) => total + proportionalMb(pid), 0);
  for (const socket of sockets) socket.close();
  return { pss, rss };
}
