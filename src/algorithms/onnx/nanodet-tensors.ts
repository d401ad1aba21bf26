import type { Detection, Frame } from '../contract.ts';
import { clip } from '../geometry.ts';
import { suppressNonMaxima } from '../nms.ts';
import type { FloatTensor } from './session.ts';

/** Mean and standard deviation of the training pictures' pixels, in the model's channel order blue, green, red. */
const mean = [103.53, 116.28, 123.675] as const;
const deviation = [57.375, 57.12, 58.395] as const;
const strides = [8, 16, 32] as const;
/** Each side's distance is a distribution over this many bins, one stride apart. */
const bins = 11;
const suppressionOverlap = 0.6;
/** More boxes than this over the least score are noise; the best are not sought among them. */
const maximumCandidates = 1000;

/** For each channel, the normalised value of each byte. */
const normalised = mean.map((average, channel) =>
  Float32Array.from({ length: 256 }, (_, value) => (value - average) / (deviation[channel] ?? 1)),
);

/** Packed bytes (BGR or RGB) to the model's input: planes of blue, green and red, normalised. */
export function normalise(
  data: Uint8Array,
  width: number,
  height: number,
  format: Frame['format'],
  into: Float32Array,
): void {
  if (format === 'gray8') throw new RangeError('NanoDet takes colour pictures, not gray8');
  const count = width * height;
  if (data.length !== 3 * count)
    throw new RangeError(`${data.length} bytes are no ${width} × ${height} picture`);
  const [blue, green, red] = normalised as [Float32Array, Float32Array, Float32Array];
  const first = format === 'bgr24' ? blue : red;
  const third = format === 'bgr24' ? red : blue;
  const firstPlane = format === 'bgr24' ? 0 : 2 * count;
  const thirdPlane = 2 * count - firstPlane;
  for (let pixel = 0, byte = 0; pixel < count; pixel++, byte += 3) {
    into[firstPlane + pixel] = first[data[byte] as number] as number;
    into[count + pixel] = green[data[byte + 1] as number] as number;
    into[thirdPlane + pixel] = third[data[byte + 2] as number] as number;
  }
}

/**
 * The model's outputs to detections: per cell the best label with at least `minimumScore`, per label the best of boxes
 * that overlap, clipped to the picture, best score first. `width` and `height` are those of the model's input.
 */
export function decode(
  outputs: readonly FloatTensor[],
  width: number,
  height: number,
  labels: readonly string[],
  minimumScore: number,
): Detection[] {
  const candidates = {
    left: new Float32Array(maximumCandidates),
    top: new Float32Array(maximumCandidates),
    right: new Float32Array(maximumCandidates),
    bottom: new Float32Array(maximumCandidates),
    score: new Float32Array(maximumCandidates),
    label: new Int32Array(maximumCandidates),
  };
  let count = 0;
  for (const stride of strides) {
    const columns = width / stride;
    const cells = columns * (height / stride);
    const scores = outputOf(outputs, cells, labels.length);
    const logits = outputOf(outputs, cells, 4 * bins);
    for (let cell = 0; cell < cells && count < maximumCandidates; cell++) {
      const best = indexOfBest(scores, cell * labels.length, labels.length);
      const score = scores[cell * labels.length + best] as number;
      if (score < minimumScore) continue;
      const x = ((cell % columns) + 0.5) * stride;
      const y = (Math.floor(cell / columns) + 0.5) * stride;
      const side = cell * 4 * bins;
      candidates.left[count] = x - expectedBin(logits, side) * stride;
      candidates.top[count] = y - expectedBin(logits, side + bins) * stride;
      candidates.right[count] = x + expectedBin(logits, side + 2 * bins) * stride;
      candidates.bottom[count] = y + expectedBin(logits, side + 3 * bins) * stride;
      candidates.score[count] = score;
      candidates.label[count] = best;
      count += 1;
    }
  }
  const detections: Detection[] = [];
  for (const index of suppressNonMaxima(candidates, count, suppressionOverlap)) {
    const left = (candidates.left[index] as number) / width;
    const top = (candidates.top[index] as number) / height;
    const right = (candidates.right[index] as number) / width;
    const bottom = (candidates.bottom[index] as number) / height;
    const box = clip([left, top, right - left, bottom - top]);
    if (box[2] <= 0 || box[3] <= 0) continue;
    const label = labels[candidates.label[index] as number] as string;
    detections.push({ label, score: candidates.score[index] as number, box });
  }
  return detections;
}

/** The output with `cells` rows of `values` each. */
function outputOf(outputs: readonly FloatTensor[], cells: number, values: number): Float32Array {
  const found = outputs.find(({ shape }) => shape.length === 3 && shape[1] === cells && shape[2] === values);
  if (found === undefined) {
    const shapes = outputs.map(({ shape }) => `[${shape.join(', ')}]`).join(', ');
    throw new RangeError(
      `the model is no NanoDet for these labels: no output is [1, ${cells}, ${values}]; there are ${shapes}`,
    );
  }
  return found.data;
}

/** Place of the greatest of `length` values from `from` on, counted from `from`. */
function indexOfBest(values: Float32Array, from: number, length: number): number {
  let best = 0;
  let greatest = values[from] as number;
  for (let index = 1; index < length; index++) {
    const value = values[from + index] as number;
    if (value > greatest) {
      greatest = value;
      best = index;
    }
  }
  return best;
}

/** Mean of the bins' numbers, weighted by the softmax of the logits from `from` on. */
function expectedBin(logits: Float32Array, from: number): number {
  let greatest = logits[from] as number;
  for (let bin = 1; bin < bins; bin++) greatest = Math.max(greatest, logits[from + bin] as number);
  let total = 0;
  let weighted = 0;
  for (let bin = 0; bin < bins; bin++) {
    const weight = Math.exp((logits[from + bin] as number) - greatest);
    total += weight;
    weighted += weight * bin;
  }
  return weighted / total;
}
