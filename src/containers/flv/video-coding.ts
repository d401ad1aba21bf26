import { av1Format, readAv1Configuration, splitObus } from '#codecs/av1.ts';
import { readAvcc, readHvcc, splitLengthPrefixed } from '#codecs/configuration-record.ts';
import { h264Format } from '#codecs/h264.ts';
import { h265Format } from '#codecs/h265.ts';
import { vp8Format } from '#codecs/vp8.ts';
import { vp9Format } from '#codecs/vp9.ts';
import type { VideoFormat } from '#media/track.ts';
import type { FlvVideoCodec } from './tags.ts';

/** How the pictures that a tag with a decoder's configuration announces are coded. */
export interface VideoCoding {
  /** As far as it is known. */
  readonly format: VideoFormat;
  /** Takes the data of a picture apart, as access units have it. */
  readonly split: (data: Buffer) => Buffer[];
}

/** @param record avcC, hvcC, av1C or vpcC; empty where none came */
export function videoCoding(codec: FlvVideoCodec, record: Buffer): VideoCoding {
  switch (codec) {
    case 'h264':
    case 'h265': {
      const isH264 = codec === 'h264';
      const { lengthSize, parameterSets } = isH264 ? readAvcc(record) : readHvcc(record);
      // Copies: the format outlives the receive buffers that these are slices of.
      const sets = parameterSets.map((nal) => Buffer.from(nal));
      const split = (data: Buffer) => splitLengthPrefixed(data, lengthSize);
      return { format: isH264 ? h264Format(sets) : h265Format(sets), split };
    }
    case 'av1': {
      const header = readAv1Configuration(record);
      return { format: av1Format(header && Buffer.from(header)), split: splitObus };
    }
    case 'vp9':
      return { format: vp9Format(), split: (data) => [data] };
    case 'vp8':
      return { format: vp8Format(), split: (data) => [data] };
  }
}

/** True where keyframes say everything themselves, so that pictures may come without a configuration before them. */
export function isSelfDescribing(codec: FlvVideoCodec): boolean {
  return codec === 'av1' || codec === 'vp9' || codec === 'vp8';
}
