import { InferenceSession, Tensor } from 'onnxruntime-node';

/** Values in row-major order with their shape. */
export interface FloatTensor {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/**
 * A loaded ONNX model. `run` blocks the event loop of its process while the model computes: sessions live in algorithm
 * hosts and nowhere else. One run at a time.
 */
export class OnnxSession implements AsyncDisposable {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  /** Loads a model file; rejects with ONNX Runtime's error if it is not a model it understands. */
  static async open(file: string): Promise<OnnxSession> {
    const session = await InferenceSession.create(file, {
      // A second thread halves the time of one frame but doubles its cost, because ONNX Runtime's threads spin.
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    });
    return new OnnxSession(session);
  }

  /** Feeds the model's only input and gives its outputs, in the order the model lists them. */
  async run(input: FloatTensor): Promise<FloatTensor[]> {
    const [name] = this.#session.inputNames;
    if (name === undefined) throw new Error('the model has no input');
    const outputs = await this.#session.run({ [name]: new Tensor('float32', input.data, input.shape) });
    return Object.entries(outputs).map(([output, { data, dims }]) => {
      if (!(data instanceof Float32Array)) throw new Error(`output "${output}" of the model is not float32`);
      return { data, shape: dims };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release();
  }
}
