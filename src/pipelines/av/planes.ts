import {
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUVJ420P,
  AVCOL_RANGE_JPEG,
  AVCOL_SPC_BT709,
  AVCOL_SPC_UNSPECIFIED,
} from 'node-av/constants';
import type { Frame } from 'node-av/lib';
import type { Yuv420 } from '../draw/planes.ts';

/** Pictures of so many rows are BT.709 where nothing is said, as players take them. */
const HD_ROWS = 720;

/** The planes of a frame that nobody else has, to draw into; 8 bits, 4:2:0. */
export function planesOf(frame: Frame): Yuv420 {
  const { width, height, format, colorSpace } = frame;
  const isPlain = format === AV_PIX_FMT_YUV420P || format === AV_PIX_FMT_YUVJ420P;
  if (!isPlain) throw new Error('Only pictures of 8 bits and 4:2:0 can be drawn into.');
  const [y, u, v] = frame.data ?? [];
  const [yStride, uStride, vStride] = frame.linesize;
  if (!y || !u || !v || !yStride || !uStride || !vStride) throw new Error('The picture has no planes.');
  const isHd = colorSpace === AVCOL_SPC_UNSPECIFIED ? height >= HD_ROWS : colorSpace === AVCOL_SPC_BT709;
  return {
    ...{ width, height, planes: [y, u, v], strides: [yStride, uStride, vStride] },
    fullRange: format === AV_PIX_FMT_YUVJ420P || frame.colorRange === AVCOL_RANGE_JPEG,
    matrix: isHd ? 'bt709' : 'bt601',
  };
}
