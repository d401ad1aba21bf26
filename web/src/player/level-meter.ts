/** Where browsers have it: the element's own output as a stream, with the output going on as before. */
type Capturable = HTMLVideoElement & { captureStream?: () => MediaStream };

/**
 * How loud the element is. It listens to a copy of the sound: routing the element itself through Web Audio would add
 * latency to what is heard and put it out of step with the picture.
 */
export class LevelMeter {
  readonly #context: AudioContext;
  readonly #analyser: AnalyserNode;
  readonly #samples: Float32Array<ArrayBuffer>;
  #level = 0;

  private constructor(context: AudioContext, stream: MediaStream) {
    this.#context = context;
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = 2048;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    context.createMediaStreamSource(stream).connect(this.#analyser);
  }

  /** Undefined where the browser cannot, or there is no sound. */
  static open(video: Capturable): LevelMeter | undefined {
    if (typeof AudioContext !== 'function') return undefined;
    const stream = audioOf(video);
    return stream && new LevelMeter(new AudioContext(), stream);
  }

  /** 0 (−60 dB or less) to 1 (full scale); falls slowly, so that short sounds are seen. */
  read(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let peak = 0;
    for (const sample of this.#samples) peak = Math.max(peak, Math.abs(sample));
    const level = peak > 0.001 ? 1 + Math.log10(peak) / 3 : 0;
    this.#level = Math.min(1, Math.max(level, this.#level - 0.15));
    return this.#level;
  }

  close(): void {
    void this.#context.close();
  }
}

function audioOf(video: Capturable): MediaStream | undefined {
  // What a peer connection brings is a stream already; stopping a track of it would stop the picture.
  const played = video.srcObject instanceof MediaStream ? video.srcObject : undefined;
  const stream = played ?? video.captureStream?.();
  const tracks = stream?.getAudioTracks() ?? [];
  if (!played) for (const track of stream?.getVideoTracks() ?? []) track.stop();
  return tracks.length > 0 ? new MediaStream(tracks) : undefined;
}
