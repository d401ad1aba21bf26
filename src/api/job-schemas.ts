import { z } from 'zod';
import { jobWish, shownJob } from '#config/job-schema.ts';

/** The JSON of `/api/jobs`: settings are made of the schema that checks the file, so that both have the same rules. */

const time = (description: string) => z.string().meta({ format: 'date-time', description });
const count = (description: string) => z.int().meta({ description });

/** All of a job; what is left out is as by default. */
export const jobBody = jobWish.meta({ id: 'JobSettings' });

/** Some keys of a job. */
export const jobPatch = z.record(z.string(), z.unknown()).meta({
  id: 'JobSettingsPatch',
  description: 'Keys of `JobSettings`; `null` is the default. With another `type`, all that it needs.',
});

const part = {
  url: z.string().meta({ description: 'Address without credentials, path, or `stream:<name>`.' }),
  state: z.enum(['idle', 'starting', 'running', 'waiting', 'failed', 'done', 'stopped']),
  reason: z.string().optional().meta({ description: 'Why it does not run.' }),
  code: z.string().optional(),
};

export const job = z
  .object({
    name: z.string(),
    type: z.enum(['push', 'split', 'merge', 'relay', 'transcode']),
    state: z.enum(['starting', 'running', 'waiting', 'failed', 'stopped']).meta({
      description:
        '`waiting`: for an input, or for the next attempt at all outputs. `running`: something goes out. `failed`: it can never work as it is, and is not tried again. `stopped`: its input ended, or somebody ended it.',
    }),
    reason: z.string().optional().meta({ description: 'Why it does not run, or what of it does not.' }),
    code: z.string().optional(),
    since: time('When the state began.'),
    progress: z.object({
      timeMs: count('Media that went through since it began, ms.'),
      durationMs: count('Length of the input, where it has an end that is known, ms.').optional(),
      speed: z.number().meta({ description: 'Media time per time; 1 is real time.' }),
      fps: z.number().meta({ description: 'Pictures per second.' }),
      bitRate: count('Bits per second of the media.'),
      drops: count('Access units that outputs lost because they were too slow.'),
      bytesSent: count('By all outputs together.'),
    }),
    inputs: z.array(z.object(part)),
    outputs: z.array(
      z.object({
        ...part,
        bytesSent: count('Bytes that were sent since the job began.'),
        drops: count('Access units that it lost because the other side was too slow.'),
      }),
    ),
    log: z
      .array(z.object({ time: time('When.'), level: z.enum(['info', 'warn', 'error']), message: z.string() }))
      .meta({ description: 'The latest lines, oldest first.' }),
    restricted: z.array(z.string()).meta({
      description:
        'Keys of addresses that came over the API, and may only lead where `sources` and `outputs` let the API lead: `input`, `outputs[0]`.',
    }),
    settings: shownJob.meta({
      description: 'Complete with defaults. `***` in an address stands for a secret; it may be sent back.',
    }),
  })
  .meta({ id: 'Job' });
