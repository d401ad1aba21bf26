/**
 * Runs in the page under test. At every frame the player says it has drawn, this reads the barcode back from the very
 * canvas and compares it with the result that is shown on it. Results are also taken from the stream's own WebSocket,
 * so that what should have been shown is known from elsewhere than the player.
 */
(() => {
  interface FrameDetail {
    readonly pts: number;
    readonly measured?: { readonly pts: number; readonly state?: unknown };
    readonly drawn: readonly { readonly origin: string }[];
    readonly canvas: HTMLCanvasElement;
  }

  /** One frame that was drawn. */
  interface SeenFrame {
    readonly pts: number;
    readonly at: number;
    /** Number in the picture; -1 where there is no barcode. */
    readonly picture: number;
    /** Number in the result that was shown on it. */
    readonly result?: number;
    readonly boxes: number;
  }

  const probe = {
    frames: [] as SeenFrame[],
    /** pts of every result that came over the wire, with its arrival. */
    arrived: [] as { pts: number; at: number; number: number | undefined }[],
    reset(): void {
      probe.frames.length = 0;
      probe.arrived.length = 0;
    },
    summary(): object {
      const { frames, arrived } = probe;
      const first = frames[0]?.pts ?? 0;
      const last = frames.at(-1)?.pts ?? 0;
      const drawn = new Map(frames.map((frame) => [frame.pts, frame.at]));
      const measured = frames.filter((frame) => frame.result !== undefined);
      const shown = new Set(measured.map((frame) => frame.pts));
      const due = arrived.filter(({ pts }) => pts >= first && pts <= last);
      const missing = due.filter(({ pts }) => !shown.has(pts));
      return {
        frames: frames.length,
        blank: frames.filter((frame) => frame.picture < 0).length,
        measured: measured.length,
        wrong: measured.filter((frame) => frame.result !== frame.picture),
        results: due.length,
        missed: missing.filter(({ pts }) => drawn.has(pts)).length,
        lateBy: missing.flatMap(({ pts, at }) => {
          const seen = drawn.get(pts);
          return seen === undefined ? [] : [Math.round(at - seen)];
        }),
        unpresented: missing.filter(({ pts }) => !drawn.has(pts)).length,
        skipped: skippedFrames(frames),
      };
    },
    /** Follows the results of a stream beside the player. */
    follow(stream: string): void {
      const socket = new WebSocket(`ws://${location.host}/${stream}/results`);
      socket.onmessage = (event: MessageEvent<string>) => {
        const message = JSON.parse(event.data);
        if (message.type !== 'result') return;
        const number = numberOf(message.result.state);
        probe.arrived.push({ pts: message.result.pts, at: performance.now(), number });
      };
    },
  };

  document.addEventListener('sluice:frame', onFrame, true);

  function onFrame(event: Event): void {
    const { pts, measured, drawn, canvas } = (event as CustomEvent<FrameDetail>).detail;
    const result = measured && numberOf(measured.state);
    const picture = readBarcode(canvas);
    const seen = { pts, at: performance.now(), picture, boxes: drawn.length };
    probe.frames.push(result === undefined ? seen : { ...seen, result });
  }

  /** Frames between drawn ones, by the numbers in the pictures; a step back is the clip's beginning again. */
  function skippedFrames(frames: readonly SeenFrame[]): number {
    return frames.slice(1).reduce((sum, frame, i) => {
      const step = frame.picture - (frames[i]?.picture ?? frame.picture);
      return sum + Math.max(0, step - 1);
    }, 0);
  }

  function numberOf(state: unknown): number | undefined {
    if (typeof state !== 'object' || state === null || !('number' in state)) return undefined;
    return typeof state.number === 'number' ? state.number : undefined;
  }

  /** Reads one row through the middle of the cells. */
  function readBarcode(canvas: HTMLCanvasElement): number {
    const scale = canvas.width / 640;
    const row = canvas.getContext('2d')?.getImageData(0, Math.round(24 * scale), canvas.width, 1).data;
    if (!row) return -1;
    const white = (x: number): boolean => (row[4 * Math.round(x * scale)] ?? 0) > 128;
    if (!white(592) || white(32)) return -1;
    let number = 0;
    for (let bit = 0; bit < 16; bit++) if (white(80 + 32 * bit)) number += 2 ** bit;
    return number;
  }

  Object.assign(globalThis, { frameProbe: probe });
})();
