import { z } from 'zod';
import { oneOf, section, wholeNumber, yesOrNo } from './fields.ts';

const eventsRule = 'must be a list of publish, unpublish, read, unread, ready, lost';
const hookUrlRule = 'must be an http:// or https:// address';
const commandRule = 'must be a list: the program, then its arguments';

/** One entry of `hooks`. */
export const hookSchema = section({
  on: z
    .array(oneOf('publish', 'unpublish', 'read', 'unread', 'ready', 'lost'), { error: eventsRule })
    .min(1, { error: eventsRule })
    .optional()
    .meta({
      title: 'Events',
      description:
        'What it is called for: a publisher came or left (`publish`, `unpublish`), a reader did (`read`, `unread`), a source of `streams` did (`ready`, `lost`).',
    }),
  while: oneOf('published', 'read').optional().meta({
    title: 'Lasting reason',
    description:
      'Instead of `on`: the command runs as long as the stream is published, or as somebody reads it, once per stream; then it gets SIGTERM, and SIGKILL 5 s later.',
  }),
  streams: z.string({ error: 'must be a pattern for names of streams' }).min(1).default('**').meta({
    title: 'Streams',
    description: 'Pattern of names: `*` is anything within a segment, `**` anything, slashes included.',
  }),
  url: z
    .string({ error: hookUrlRule })
    .refine((value) => /^https?:$/.test(URL.parse(value)?.protocol ?? ''), { error: hookUrlRule })
    .optional()
    .meta({
      title: 'Address',
      description:
        'Gets each event as JSON by POST: `id`, `type`, `time`, `stream`, `door`, `remote`, `reason`. Anything but an answer 2xx is tried again with growing pauses, up to 10 times in 5 minutes; 3xx and most 4xx are not.',
    }),
  command: z
    .array(z.string({ error: commandRule }), { error: commandRule })
    .min(1, { error: commandRule })
    .optional()
    .meta({
      title: 'Command',
      description:
        'Program and arguments, read by no shell. The event stands in `SLUICE_EVENT`, `SLUICE_STREAM`, `SLUICE_DOOR`, `SLUICE_REMOTE`, `SLUICE_REASON`, `SLUICE_TIME`, `SLUICE_EVENT_ID`. It ends with all that it started, also when the server is killed.',
    }),
  secret: z.string({ error: 'must be a text' }).min(1).optional().meta({
    title: 'Secret',
    description: 'Signs what goes to `url`: `X-Sluice-Signature: sha256=<HMAC-SHA256 of the body, in hex>`.',
  }),
  timeoutSeconds: wholeNumber(1, 3600).default(10).meta({
    title: 'Time-out, seconds',
    description: 'How long `url` may take to answer, and a command that runs for an event to end.',
  }),
  restart: yesOrNo().default(false).meta({
    title: 'Restart',
    description: 'With `while`: a command that ends by itself is started again, with growing pauses.',
  }),
}).refine(
  (value) =>
    (value.url === undefined) !== (value.command === undefined) &&
    (value.on === undefined) !== (value.while === undefined) &&
    (value.while === undefined || value.command !== undefined),
  { error: 'must have `on` and either `url` or `command`, or `while` and `command`' },
);

/** The keys of a hook. */
export const hookKeys: readonly string[] = Object.keys(hookSchema.shape);
