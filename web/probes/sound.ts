/**
 * Runs in the page under test. The clip flashes and beeps at each whole second: this notes when a flash was drawn on
 * the player's canvas and when a beep came out of the media element, both on the page's clock.
 */
(() => {
  /** Tells the context time of every sound that begins after half a second of quiet. */
  const listener = `registerProcessor('beeps', class extends AudioWorkletProcessor {
    quiet = 0;
    process([[samples]]) {
      if (!samples) return true;
      for (let i = 0; i < samples.length; i++) {
        if (Math.abs(samples[i]) < 0.1) this.quiet++;
        else {
          if (this.quiet > sampleRate / 2) this.port.postMessage(currentTime + i / sampleRate);
          this.quiet = 0;
        }
      }
      return true;
    }
  });`;

  const probe = {
    /** performance.now() of flashes as drawn, and of beeps as taken from the element. */
    flashes: [] as number[],
    beeps: [] as number[],
    reset(): void {
      probe.flashes.length = 0;
      probe.beeps.length = 0;
    },
    /** @param media what a connection brings, where no element plays it from a buffer */
    async listen(media?: MediaStream): Promise<void> {
      const video = document.querySelector('video');
      if (!video) throw new Error('There is no video element.');
      const context = new AudioContext({ latencyHint: 'interactive' });
      const url = URL.createObjectURL(new Blob([listener], { type: 'text/javascript' }));
      await context.audioWorklet.addModule(url);
      const node = new AudioWorkletNode(context, 'beeps');
      const clock = followClock(context);
      node.port.onmessage = (event: MessageEvent<number>) => probe.beeps.push(clock(event.data));
      const stream = media ?? (video.srcObject instanceof MediaStream ? video.srcObject : undefined);
      if (stream) {
        // Of a peer connection, as it leaves the jitter buffer; the element goes on sounding by itself.
        context.createMediaStreamSource(stream).connect(node);
      } else {
        const source = context.createMediaElementSource(video);
        source.connect(node);
        source.connect(context.destination);
      }
      await context.resume();
    },
    /** For each beep, ms from the nearest flash: positive where the sound is late. */
    skews(): number[] {
      return probe.beeps.flatMap((beep) => {
        const nearest = probe.flashes.reduce(
          (best, flash) => (Math.abs(beep - flash) < Math.abs(beep - best) ? flash : best),
          Number.POSITIVE_INFINITY,
        );
        return Math.abs(beep - nearest) < 500 ? [beep - nearest] : [];
      });
    },
  };

  /** From the time of an audio context, which advances in portions, to performance.now(): the middle of a portion. */
  function followClock(context: AudioContext): (seconds: number) => number {
    const leads: number[] = [];
    setInterval(() => {
      leads.push(context.currentTime * 1000 - performance.now());
      if (leads.length > 200) leads.shift();
    }, 5);
    return (seconds) => seconds * 1000 - (leads.toSorted((a, b) => a - b)[leads.length >> 1] ?? 0);
  }

  let white = false;
  document.addEventListener(
    'sluice:frame',
    (event) => {
      const { canvas } = (event as CustomEvent<{ canvas: HTMLCanvasElement }>).detail;
      const context = canvas.getContext('2d');
      const scale = canvas.width / 640;
      const isWhite = [260, 320, 380].every((x) => {
        const pixel = context?.getImageData(Math.round(x * scale), Math.round(220 * scale), 1, 1).data;
        return pixel !== undefined && Math.min(pixel[0] ?? 0, pixel[1] ?? 0, pixel[2] ?? 0) > 220;
      });
      if (isWhite && !white) probe.flashes.push(performance.now());
      white = isWhite;
    },
    true,
  );

  Object.assign(globalThis, { soundProbe: probe });
})();
