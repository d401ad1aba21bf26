import {
  AV_PIX_FMT_YUV420P,
  AVCOL_RANGE_JPEG,
  AVCOL_RANGE_MPEG,
  AVCOL_SPC_BT470BG,
  AVCOL_SPC_BT709,
  AVCOL_SPC_BT2020_NCL,
} from 'node-av/constants';
import { Filter, type FilterContext, FilterGraph, Frame, Rational } from 'node-av/lib';
import { check } from './library.ts';

/** FFmpeg's names of the matrices that video has; what says nothing is taken for BT.601. */
const MATRICES = new Map<number, string>([
  [AVCOL_SPC_BT709, 'bt709'],
  [AVCOL_SPC_BT2020_NCL, 'bt2020nc'],
]);

/**
 * Gives pictures the colours of JFIF, which knows one kind: BT.601 over the full range. FFmpeg's filter `colorspace` goes from
 * planes to planes in one step; its scaler goes through RGB where the matrix changes, at four times the cost. Each result is
 * a picture of its own, which may be drawn into. One owner; every call awaited.
 */
export class JpegColours {
  #graph: FilterGraph | undefined;
  #source: FilterContext | undefined;
  #sink: FilterContext | undefined;
  #kind = '';

  /**
   * @param frame 8 bits, 4:2:0 (`yuv420p`); it stays as it is
   * @param fullRange luma and chroma of the frame use all values
   * @returns a new frame, which the caller frees
   */
  async convert(frame: Frame, fullRange: boolean): Promise<Frame> {
    const matrix = MATRICES.get(frame.colorSpace) ?? 'bt470bg';
    const kind = `${frame.width}x${frame.height} ${matrix} ${fullRange}`;
    if (kind !== this.#kind) await this.#open(frame, matrix, fullRange);
    this.#kind = kind;
    const shared = frame.clone();
    if (!shared) throw new Error('There is no memory for a picture.');
    const target = new Frame();
    target.alloc();
    try {
      // The filter is told of what it was opened for, whatever the picture says of itself.
      shared.format = AV_PIX_FMT_YUV420P;
      shared.colorSpace = frame.colorSpace === AVCOL_SPC_BT709 ? AVCOL_SPC_BT709 : AVCOL_SPC_BT470BG;
      shared.colorRange = fullRange ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
      shared.timeBase = new Rational(1, 90_000);
      check(await this.#source!.buffersrcAddFrame(shared), 'converting the colours of a picture');
      check(await this.#sink!.buffersinkGetFrame(target), 'converting the colours of a picture');
      return target;
    } catch (error) {
      target.free();
      throw error;
    } finally {
      shared.free();
    }
  }

  close(): void {
    this.#graph?.free();
    this.#graph = undefined;
    this.#kind = '';
  }

  async #open({ width, height }: Frame, matrix: string, fullRange: boolean): Promise<void> {
    this.close();
    const graph = new FilterGraph();
    graph.alloc();
    this.#graph = graph;
    graph.nbThreads = 1;
    const range = fullRange ? 'pc' : 'tv';
    const add = (filter: string, args: string | null) => {
      const found = Filter.getByName(filter);
      const made = found && graph.createFilter(found, filter, args);
      if (!made) throw new Error(`FFmpeg's filter "${filter}" cannot be used.`);
      return made;
    };
    const said = matrix === 'bt709' ? 'bt709' : 'bt470bg';
    const source = add(
      'buffer',
      `video_size=${width}x${height}:pix_fmt=yuv420p:time_base=1/90000:colorspace=${said}:range=${range}`,
    );
    // Primaries and transfer are named alike on both sides, so that the matrix and the range alone are changed.
    const same = 'primaries=bt709:trc=bt709:iprimaries=bt709:itrc=bt709';
    const filter = add(
      'colorspace',
      `ispace=${matrix}:irange=${range}:space=bt470bg:range=pc:${same}:format=yuv420p`,
    );
    const sink = add('buffersink', null);
    check(source.link(0, filter, 0), 'preparing the colours of pictures');
    check(filter.link(0, sink, 0), 'preparing the colours of pictures');
    check(await graph.config(), 'preparing the colours of pictures');
    this.#source = source;
    this.#sink = sink;
  }
}
