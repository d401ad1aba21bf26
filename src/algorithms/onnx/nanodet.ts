import type { Algorithm, Context, Detection, Findings, Frame, Manifest } from '../contract.ts';
import { decode, normalise } from './nanodet-tensors.ts';
import { OnnxSession } from './session.ts';

/**
 * NanoDet (GFL head without objectness; github.com/RangiLyu/nanodet) as an ONNX model: input `[1, 3, height, width]`
 * with both sides multiples of 32, outputs for each stride 8, 16 and 32 one `[1, N, labels]` of scores after the
 * sigmoid and one `[1, N, 44]` of box logits. They are told apart by their shapes; their names have no order.
 */
export class NanoDet implements Algorithm {
  readonly #session: OnnxSession;
  readonly #labels: readonly string[];
  #pixels = new Float32Array(0);

  private constructor(session: OnnxSession, labels: readonly string[]) {
    this.#session = session;
    this.#labels = labels;
  }

  /** Loads the model and looks once at a grey picture, so that a model of another form fails here. */
  static async open(manifest: Manifest, file: string): Promise<NanoDet> {
    const detector = new NanoDet(await OnnxSession.open(file), manifest.labels);
    try {
      await detector.#infer(new Uint8Array(64 * 64 * 3).fill(114), 64, 64, 'bgr24', 0.5);
    } catch (error) {
      await detector[Symbol.asyncDispose]();
      throw error;
    }
    return detector;
  }

  async detect(frame: Frame, { minimumScore }: Context): Promise<Findings> {
    const { data, width, height, format } = frame;
    return { objects: await this.#infer(data, width, height, format, minimumScore) };
  }

  async #infer(
    data: Uint8Array,
    width: number,
    height: number,
    format: Frame['format'],
    minimumScore: number,
  ): Promise<Detection[]> {
    if (width % 32 !== 0 || height % 32 !== 0) {
      throw new RangeError(
        `NanoDet takes pictures whose sides are multiples of 32, not ${width} × ${height}`,
      );
    }
    const size = 3 * width * height;
    if (this.#pixels.length !== size) this.#pixels = new Float32Array(size);
    normalise(data, width, height, format, this.#pixels);
    const outputs = await this.#session.run({ data: this.#pixels, shape: [1, 3, height, width] });
    return decode(outputs, width, height, this.#labels, minimumScore);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
