import {
  AV_HWDEVICE_TYPE_VAAPI,
  AV_PIX_FMT_NV12,
  AV_PIX_FMT_VAAPI,
  AV_PIX_FMT_YUV420P,
  type AVPixelFormat,
  type FFEncoderCodec,
} from 'node-av/constants';
import { type CodecContext, Frame, HardwareDeviceContext, HardwareFramesContext } from 'node-av/lib';
import { check } from './library.ts';
import type { EncoderOptions } from './video-encoders.ts';

/** An encoder of the machine's graphics hardware. */
export interface HardwareEncoder {
  /** FFmpeg's name of it, e.g. `h264_nvenc`. */
  readonly name: FFEncoderCodec;
  readonly family: 'vaapi' | 'nvenc' | 'qsv' | 'videotoolbox';
}

interface Family {
  readonly platforms: readonly NodeJS.Platform[];
  /** In memory, before it goes to the device. */
  readonly pixelFormat: AVPixelFormat;
  readonly options: EncoderOptions;
}

/** What makes each of them give every picture at once, and a keyframe where one is asked for. */
const FAMILIES: Readonly<Record<HardwareEncoder['family'], Family>> = {
  nvenc: {
    platforms: ['linux', 'win32'],
    pixelFormat: AV_PIX_FMT_YUV420P,
    options: { preset: 'p4', tune: 'll', rc: 'vbr', zerolatency: 1, delay: 0, 'forced-idr': 1 },
  },
  qsv: {
    platforms: ['linux', 'win32'],
    pixelFormat: AV_PIX_FMT_NV12,
    options: { preset: 'veryfast', async_depth: 1, forced_idr: 1 },
  },
  vaapi: { platforms: ['linux'], pixelFormat: AV_PIX_FMT_NV12, options: { async_depth: 1 } },
  videotoolbox: { platforms: ['darwin'], pixelFormat: AV_PIX_FMT_NV12, options: { realtime: 1 } },
};

/** Those that may be there on this kind of machine, the one to be preferred first. */
export function hardwareCandidates(
  codec: 'h264' | 'h265',
  platform: NodeJS.Platform = process.platform,
): readonly HardwareEncoder[] {
  const prefix = codec === 'h264' ? 'h264' : 'hevc';
  return (Object.keys(FAMILIES) as HardwareEncoder['family'][])
    .filter((family) => FAMILIES[family].platforms.includes(platform))
    .map((family) => ({ family, name: `${prefix}_${family}` as FFEncoderCodec }));
}

/** What FFmpeg is told of the encoder. */
export function hardwareOptions(
  { family, name }: HardwareEncoder,
  { bitRate }: { readonly bitRate: number },
): EncoderOptions {
  const profile = name.startsWith('h264')
    ? { profile: family === 'vaapi' ? 'constrained_baseline' : 'baseline' }
    : {};
  const rate = { b: bitRate, maxrate: Math.round(bitRate * 1.5), bufsize: bitRate };
  return { ...FAMILIES[family].options, ...profile, ...rate };
}

/** The pixel format in which an encoder takes pictures out of memory. */
export function memoryFormat({ family }: HardwareEncoder): AVPixelFormat {
  return FAMILIES[family].pixelFormat;
}

/** Brings pictures to the device of an encoder that takes none out of memory. One owner. */
export class DeviceUpload {
  readonly #device = new HardwareDeviceContext();
  readonly #frames = new HardwareFramesContext();
  #isAllocated = false;

  /** Prepares `context`, which is not open yet, for pictures of the device. Throws an AvError where there is none. */
  constructor(context: CodecContext, width: number, height: number) {
    try {
      check(this.#device.create(AV_HWDEVICE_TYPE_VAAPI), 'opening the graphics device');
      this.#frames.alloc(this.#device);
      this.#isAllocated = true;
      this.#frames.format = AV_PIX_FMT_VAAPI;
      this.#frames.swFormat = AV_PIX_FMT_NV12;
      this.#frames.width = width;
      this.#frames.height = height;
      this.#frames.initialPoolSize = 8;
      check(this.#frames.init(), 'making room on the graphics device');
      context.pixelFormat = AV_PIX_FMT_VAAPI;
      context.hwFramesCtx = this.#frames;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** A frame on the device with the same picture, which the caller frees. */
  async upload(frame: Frame): Promise<Frame> {
    const target = new Frame();
    target.alloc();
    try {
      check(this.#frames.getBuffer(target), 'making room on the graphics device');
      check(await this.#frames.transferData(target, frame), 'bringing a picture to the graphics device');
      target.copyProps(frame);
      return target;
    } catch (error) {
      target.free();
      throw error;
    }
  }

  close(): void {
    if (this.#isAllocated) this.#frames.free();
    this.#device.free();
  }
}
