import { z } from 'zod';
import { deviceTrouble } from './device-address.ts';
import { fingerprint, oneOf, section, wholeNumber, yesOrNo } from './fields.ts';
import { forwardSchema } from './forward-schema.ts';
import { frames, shownFrames } from './frames-schema.ts';
import { sourceKind } from './source.ts';

const algorithmRule = 'must be the id of an algorithm: small letters, digits and "-"';
const algorithmId = z.string({ error: algorithmRule }).regex(/^[a-z0-9-]+$/, { error: algorithmRule });

export const burnInKeys = section({
  labels: yesOrNo().default(true).meta({
    title: 'Labels',
    description: 'Boxes have their labels and scores beside them.',
  }),
  clock: yesOrNo().default(false).meta({
    title: 'Clock',
    description: 'When a picture was captured stands in its corner, in the time zone of the server.',
  }),
  hold: yesOrNo().default(false).meta({
    title: 'Hold pictures',
    description:
      "Of algorithms that give back whole pictures: each stands until the next one. Without it, it is shown for the picture that it was made from, and between them the camera's own are.",
  }),
  maxDelaySeconds: wholeNumber(1, 20).default(5).meta({
    title: 'Longest delay, seconds',
    description:
      'The picture, and the sound with it, waits so long for the algorithm at most; results that take longer are not drawn as measured.',
  }),
});

const burnInRule = 'must be true or false, or a map with `labels`, `clock`, `hold` and `maxDelaySeconds`';

/** How results are drawn into the pictures; undefined: they are not. */
export const burnIn = z
  .union([yesOrNo(), burnInKeys], { error: burnInRule })
  .transform((value) => (value === true ? burnInKeys.parse({}) : value || undefined));

const detectShape = {
  algorithm: algorithmId.meta({
    title: 'Algorithm',
    description: 'Id of the algorithm, e.g. `people`.',
  }),
  parameters: z
    .record(z.string(), z.unknown(), { error: 'must be a map of parameters and their values' })
    .default({})
    .meta({
      title: 'Parameters',
      description: 'Values that differ from the defaults in the manifest of the algorithm.',
    }),
  frames,
  burnIn: burnIn.optional().meta({
    title: 'Burned in',
    description:
      '`true`: there is a stream `<stream>/<algorithm>` as well, while somebody reads it, with the boxes drawn into the picture, each on the picture it belongs to, and the sound as it is (docs/burned-in.md). Or a map with `labels`, `clock`, `hold` and `maxDelaySeconds`.',
  }),
};

/** An algorithm and its parameters, as they are when the entry was read. */
export const detectWish = section({ ...detectShape, frames: shownFrames });

const detect = z
  .union([algorithmId, section(detectShape)], {
    error: 'must be the id of an algorithm, or a map with `algorithm`, `parameters` and `frames`',
  })
  .transform((value) => (typeof value === 'string' ? { algorithm: value, parameters: {} } : value));

const sourceRule =
  'must be the path of a video file, a folder of them or a picture, an rtsp://, rtsps://, rtmp://, rtmps://, http://, https://, whep://, wheps://, srt:// or udp:// address, desktop, camera:0, microphone:0, or testsrc';

/** What a source, or a second one, may be. */
const address = () =>
  z
    .string({ error: sourceRule })
    .min(1, { error: sourceRule })
    .refine((value) => sourceKind(value) !== undefined, {
      error: `${sourceRule}: other kinds of addresses are no source yet, let them publish to Sluice instead`,
    })
    .refine((value) => deviceTrouble(value) === undefined, {
      error: ({ input }) => deviceTrouble(String(input)),
    });

const standbyRule = 'must be the path of a picture or of a video file';

/** Keys that lead somewhere, each by one address or path; addresses of `forward` say of themselves who wrote them. */
export const LEADING_KEYS = ['source', 'fill', 'standby'] as const;
export type LeadingKey = (typeof LEADING_KEYS)[number];

const restrictedRule = `must be true or false, or a list of ${LEADING_KEYS.join(', ')}`;

/** In the order of {@link LEADING_KEYS}. `true` is what stood for the source when the API could write nothing else. */
const restricted = z
  .union([yesOrNo(), z.array(z.enum(LEADING_KEYS, { error: `must be one of ${LEADING_KEYS.join(', ')}` }))], {
    error: restrictedRule,
  })
  .transform((value): LeadingKey[] => {
    if (typeof value === 'boolean') return value ? ['source'] : [];
    return LEADING_KEYS.filter((key) => value.includes(key));
  });

/** The keys of one entry of `streams`, each with its own rule. */
export const streamShape = {
  source: address().optional().meta({
    title: 'Source',
    description:
      'Address of a camera or a server, `rtsp://user:password@host:554/path` (in user and password, `/`, `@` and `%` are written `%2F`, `%40`, `%25`); `rtmp://host/app/stream` of an RTMP server; `http://` or `https://` of HLS, HTTP-FLV, MPEG-TS or moving JPEG (which becomes H.264), or of a WHEP server where the path ends with `/whep` (`whep://` and `wheps://` with any path; a token as `https://token@host/…`); `srt://` or `udp://` of MPEG-TS; the path of a video file, of a folder whose video files follow each other, or of a picture, relative to the configuration file, which is published at real-time pace; `desktop`, `camera:0` or `microphone:0`, a device of this machine ([sources](sources.md#devices)); or `testsrc`, a moving test picture with sound. Without it somebody publishes the stream, over RTSP, RTMP or WHIP.',
  }),
  fill: address().optional().meta({
    title: 'Second source',
    description:
      'What the source does not have comes from here, sound or picture: any kind of source, with one clock for both (docs/sources.md). It is opened and closed with the source, takes `transport: auto`, and its media are let go while the source has such media itself.',
  }),
  standby: z
    .string({ error: standbyRule })
    .min(1, { error: standbyRule })
    .refine((value) => sourceKind(value) === 'path', { error: standbyRule })
    .optional()
    .meta({
      title: 'Stand-by',
      description:
        'Path of a picture or a video file, relative to the configuration file, that readers see while the source is gone, with silence where there was sound, in the codecs and the size that the stream had. Algorithms do not look at it.',
    }),
  standbyAfterSeconds: wholeNumber(0, 60).default(3).meta({
    title: 'Stand-by after, seconds',
    description:
      'So long after the source was lost, or did not come, `standby` is shown. Readers wait so long: `publisher.holdSeconds` has to be longer, and `onDemandStartSeconds` for those that come.',
  }),
  onDemand: yesOrNo().optional().meta({
    title: 'On demand',
    description:
      'The source is opened for the first reader (a viewer, a player, an algorithm) and closed after the last. Without this key: `true` for an address, `false` for a file and `testsrc`.',
  }),
  onDemandStartSeconds: wholeNumber(1, 60).default(10).meta({
    title: 'Patience with the source, seconds',
    description: 'On demand: a reader is held for so long, and then refused with the reason.',
  }),
  onDemandCloseSeconds: wholeNumber(1, 3600).default(10).meta({
    title: 'Closing, seconds',
    description: 'On demand: the source is closed so long after the last reader left.',
  }),
  transport: oneOf('auto', 'tcp', 'udp').default('auto').meta({
    title: 'Transport',
    description:
      'How the media of an `rtsp://` address come: over `tcp`, inside the connection; over `udp`; `auto` is `udp`, and `tcp` where that is refused or nothing comes for 3 s. What worked is tried first the next time.',
  }),
  fingerprint: fingerprint().optional().meta({
    title: 'Fingerprint',
    description:
      'SHA-256 of the certificate that an `rtsps://`, `rtmps://` or `https://` source has to show, whoever signed it. Without this key it has to be signed by an authority that this machine trusts.',
  }),
  insecure: yesOrNo().default(false).meta({
    title: 'Any certificate',
    description:
      'Takes every certificate of an `rtsps://`, `rtmps://` or `https://` source. Whoever stands between can then read and change everything; `fingerprint` is better.',
  }),
  loop: yesOrNo()
    .default(true)
    .meta({ title: 'Loop', description: 'Starts the file again at its end, with timestamps that go on.' }),
  detect: z.array(detect, { error: 'must be a list of algorithms' }).default([]).meta({
    title: 'Algorithms',
    description:
      'Algorithms that look at the stream while somebody watches it; each an id, or a map with `algorithm`, `parameters` and `frames`.',
  }),
  forward: forwardSchema,
  restricted: restricted.default([]).meta({
    title: 'Restricted',
    description:
      'Stands where the API wrote the source (`true`), or these keys of the entry: they may lead nowhere but where `sources` lets the API lead. Take a key out to trust it as if it were yours.',
  }),
};

/** One entry of `streams`. */
export const streamSchema = section(streamShape)
  .refine(({ source, transport }) => transport !== 'udp' || !/^rtsps:/i.test(source ?? ''), {
    error: 'cannot be `udp` for an rtsps:// source, whose media come inside the encrypted connection',
    path: ['transport'],
  })
  .refine(({ source, fill }) => source !== undefined || fill === undefined, {
    error: 'goes with a `source`, whose missing sound or picture it brings',
    path: ['fill'],
  })
  .refine(({ source, standby }) => source !== undefined || standby === undefined, {
    error: 'goes with a `source`, for which it stands in',
    path: ['standby'],
  })
  .refine((value) => value.source !== undefined || value.detect.length > 0 || value.forward.length > 0, {
    error:
      'must have a `source`, or algorithms in `detect` or addresses in `forward` for what somebody publishes',
  });

/** The keys of a stream. */
export const streamKeys: readonly string[] = Object.keys(streamShape);

/** One entry of `streams`, complete with defaults. */
export type StreamEntry = z.output<typeof streamSchema>;
