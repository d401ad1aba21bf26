import {
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUVJ420P,
  AVCOL_SPC_BT709,
  AVCOL_SPC_UNSPECIFIED,
} from 'node-av/constants';
import type { Yuv420 } from '../draw/planes.ts';
import { check } from './library.ts';
import type { Picture } from './video.ts';
import { isFullRange } from './yuv420.ts';

/** Pictures of so many rows are BT.709 where nothing is said, as players take them. */
const HD_ROWS = 720;

/**
 * The planes of a picture to draw into: of the picture itself where nobody else has them, else of a copy that it has from
 * now on, since decoders refer to what they gave out. Only for who alone holds the picture.
 * @param picture 8 bits, 4:2:0, see `ToYuv420`
 */
export function drawableOf(picture: Picture): Yuv420 {
  const { frame, width, height } = picture;
  const isPlain = frame.format === AV_PIX_FMT_YUV420P || frame.format === AV_PIX_FMT_YUVJ420P;
  if (!isPlain) throw new Error('Only pictures of 8 bits and 4:2:0 can be drawn into.');
  check(frame.makeWritable(), 'copying a picture');
  const [y, u, v] = frame.data ?? [];
  const [yStride, uStride, vStride] = frame.linesize;
  if (!y || !u || !v || !yStride || !uStride || !vStride) throw new Error('The picture has no planes.');
  const said = frame.colorSpace;
  const isHd = said === AVCOL_SPC_UNSPECIFIED ? height >= HD_ROWS : said === AVCOL_SPC_BT709;
  return {
    ...{ width, height, planes: [y, u, v], strides: [yStride, uStride, vStride] },
    fullRange: isFullRange(picture),
    matrix: isHd ? 'bt709' : 'bt601',
  };
}
