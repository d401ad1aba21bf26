import { z } from 'zod';
import { section, wholeNumber, yesOrNo } from './fields.ts';

const fpsRule = 'must be a number above 0, up to 60';
const templateRule =
  'must be the name of a channel, up to 512 characters, in which {stream} and {algorithm} stand for those of the run';

/** The name of a channel with places for the stream and the algorithm. */
export function channelTemplate() {
  return z
    .string({ error: templateRule })
    .min(1, { error: templateRule })
    .max(512, { error: templateRule })
    .refine((text) => !/[{}]/.test(text.replaceAll(/\{(stream|algorithm)\}/g, '')), { error: templateRule })
    .refine((text) => !/\p{Cc}/u.test(text), { error: templateRule });
}

/** How the pictures that an algorithm looked at are given out. */
const settings = section({
  quality: wholeNumber(1, 100).default(85).meta({
    title: 'Quality',
    description: 'Of the JPEGs, 1 to 100, as libjpeg and OpenCV count.',
  }),
  width: wholeNumber(16, 7680).optional().meta({
    title: 'Width',
    description:
      'Pixels; the height follows. Without it, and where the video is narrower, as wide as the video.',
  }),
  fps: z.number({ error: fpsRule }).gt(0, { error: fpsRule }).max(60, { error: fpsRule }).optional().meta({
    title: 'Frames per second',
    description: 'At most so many are given out; without it each picture that was looked at.',
  }),
  boxes: yesOrNo().default(true).meta({
    title: 'Boxes',
    description: 'What was found is drawn on them.',
  }),
  channel: channelTemplate().optional().meta({
    title: 'Channel',
    description:
      'Name of the Redis channel, with `{stream}` and `{algorithm}`; without it that of `redis.channel`.',
  }),
  keepSeconds: wholeNumber(1, 86_400).optional().meta({
    title: 'Keeping, seconds',
    description:
      'The newest is kept in Redis under the name of the channel too, and goes after so many seconds. Pictures are then made for as long as the algorithm works, since nobody knows who reads a key.',
  }),
});

export const frames = z
  .union([yesOrNo(), settings], {
    error: 'must be true or false, or a map such as { quality: 85, width: 640 }',
  })
  .transform((value) => (value === true ? settings.parse({}) : value === false ? undefined : value))
  .optional()
  .meta({
    title: 'Frames',
    description:
      'Gives the pictures that the algorithm looked at out as JPEG (`docs/frames.md`): to pages, `ws://…/<stream>/frames`, and on Redis. `true`, or a map with `quality`, `width`, `fps`, `boxes`, `channel`, `keepSeconds`.',
  });

/** Frames and what is kept go by that name, so whoever chooses it could write over any key of Redis. */
export const channelOfFile =
  'can only be written in the configuration file, by hand: who names a channel of Redis could write over any key there';

/** The same over the API. */
export const framesOfApi = frames.refine((value) => value?.channel === undefined, {
  error: channelOfFile,
  path: ['channel'],
});

/** The same as it is when the entry was read. */
export const shownFrames = settings.optional();
