import { z } from 'zod';
import { burnIn } from '#config/stream-schema.ts';

/** The JSON that the API gives and takes: one schema checks it, types it and describes it in the OpenAPI document. */

const time = (description: string) => z.string().meta({ format: 'date-time', description });
const count = (description: string) => z.int().nonnegative().meta({ description });

export const errorBody = z
  .object({
    error: z.object({
      code: z.string().meta({ description: 'Stable; docs/errors.md lists all codes.' }),
      message: z.string().meta({ description: 'What was wrong, which rule, and the way out.' }),
      details: z.array(z.object({ field: z.string(), rule: z.string() })).optional(),
    }),
  })
  .meta({ id: 'Error' });

export const health = z
  .object({
    status: z.enum(['ok', 'degraded']).meta({
      description: '`degraded`: a worker process is not running, or the configuration file has an error.',
    }),
    version: z.string(),
    node: z.string().meta({ description: 'Version of Node.js.' }),
    uptimeSeconds: z.number(),
    streams: count('Streams that are live or held.'),
    readers: count('Readers of all streams.'),
    workers: z.object({
      total: count('Worker processes.'),
      running: count('Of these, how many are running.'),
      restarts: count('Restarts of all of them since the server started.'),
    }),
    configuration: z
      .object({
        file: z.string().meta({ description: 'Absolute path; the file need not be there.' }),
        loadedAt: time('When the configuration at work was read.'),
        error: z
          .object({ code: z.string(), message: z.string() })
          .optional()
          .meta({ description: 'Why the file as it is now is not at work; the server goes on as before.' }),
      })
      .optional()
      .meta({ description: 'Absent where the configuration comes from no file.' }),
  })
  .meta({ id: 'Health' });

const losses = z
  .object({
    packets: count('RTP packets that came.'),
    lost: count('Packets that never came, or too late.'),
    late: count('Packets that came too late, where their order is restored (UDP).'),
    duplicate: count('Packets that came twice.'),
    concealed: count('Pictures left out between a loss and the next keyframe.'),
  })
  .meta({ id: 'Losses' });

const track = z
  .object({
    id: z.int(),
    kind: z.enum(['video', 'audio', 'data']),
    codec: z.string(),
    codecString: z.string().optional().meta({ description: 'Name after RFC 6381.' }),
    clockRate: z.int().meta({ description: 'Ticks per second of its timestamps.' }),
    width: z.int().optional().meta({ description: 'Pixels.' }),
    height: z.int().optional().meta({ description: 'Pixels.' }),
    sampleRate: z.int().optional().meta({ description: 'Hertz.' }),
    channels: z.int().optional(),
    clock: z
      .object({
        source: z.enum(['sender-report', 'arrival']).meta({
          description: 'By what its capture time is known: sender reports, or when its packets arrive.',
        }),
        skewPpm: z.number().meta({
          description:
            'Millionths by which its clock is slow; negative: fast. Without reports against our clock.',
        }),
        lagMs: z.number().meta({
          description: 'Milliseconds by which what readers get still differs, because it must not jump.',
        }),
      })
      .optional()
      .meta({ description: 'Where the door that it comes by measures it.' }),
    losses: losses
      .optional()
      .meta({ description: 'On the way from the publisher, where packets can be lost.' }),
  })
  .meta({ id: 'Track' });

const reader = z
  .object({
    id: z.string(),
    door: z.string().meta({ description: 'How it reads: `rtsp`, `mse`, `link` …' }),
    remote: z.string(),
    since: time('When it began to read.'),
    sent: z.object({ units: count('Pieces sent.'), bytes: count('Bytes sent.') }),
    dropped: z.object({
      video: count('Pictures it lost because it was too slow.'),
      audio: count('Audio frames it lost because it was too slow.'),
      skips: count('Times it lost pictures up to the next keyframe.'),
    }),
    queuedBytes: count('Bytes that wait for it.'),
    lost: count('Packets that it says were lost on the way to it (RTCP).').optional(),
  })
  .meta({ id: 'Reader' });

const sourcePart = {
  address: z.string().meta({ description: 'Where it comes from.' }),
  state: z.string(),
  reason: z.string().optional().meta({ description: 'Why it does not run.' }),
  code: z.string().optional(),
};

export const stream = z
  .object({
    name: z.string(),
    job: z.string().optional().meta({ description: 'The job that publishes it; see `/api/jobs`.' }),
    state: z.enum(['live', 'standby', 'held', 'ended', 'starting', 'waiting', 'failed', 'idle']).meta({
      description:
        '`standby`: the source is gone, and its stand-by is shown. `held`: the publisher is gone, and readers wait for the next one. `starting`, `waiting`, `failed`: not there, because its source is not (see `source`). `idle`: not there, because nobody wants it; it comes on demand.',
    }),
    since: time('When the stream, or the state of its source, began.'),
    source: z
      .object({
        ...sourcePart,
        fill: z
          .object({
            ...sourcePart,
            brings: z
              .array(z.enum(['video', 'audio', 'data']))
              .meta({ description: 'Kinds of media that the stream has from it now.' }),
          })
          .optional()
          .meta({ description: 'The second source, for what the first does not have.' }),
        standby: z
          .object(sourcePart)
          .optional()
          .meta({ description: 'What is shown while the source is gone; `idle` while it is there.' }),
      })
      .optional()
      .meta({ description: 'Of a stream that the configuration gives a source.' }),
    held: z
      .object({ since: time('When the publisher left.'), seconds: z.number() })
      .optional()
      .meta({ description: 'While held: for how long in all.' }),
    publisher: z
      .object({
        id: z.string(),
        door: z.string(),
        remote: z.string(),
        since: time('When it began to publish.'),
        ...losses.partial().shape,
      })
      .optional(),
    snapshot: z
      .string()
      .optional()
      .meta({ description: 'Where its latest keyframe can be had as JPEG, of a stream with video.' }),
    tracks: z.array(track),
    received: z.object({
      units: count('Access units that came in.'),
      bytes: count('Bytes of them.'),
      discarded: count('Access units refused because their time did not go forward.'),
    }),
    readers: z.array(reader),
  })
  .meta({ id: 'Stream' });

const localText = z
  .record(z.string(), z.string())
  .meta({ description: 'By language; `en` is always there.' });

export const algorithm = z
  .object({
    id: z.string(),
    version: z.string(),
    title: localText,
    task: z.string(),
    labels: z.array(z.string()),
    parameters: z
      .record(z.string(), z.unknown())
      .meta({ description: 'JSON Schema of everything that can be set, with defaults.' }),
    licence: z.string(),
  })
  .meta({ id: 'Algorithm' });

const spread = z.object({ p50: z.number(), p95: z.number() });

export const statistics = z
  .object({
    offered: count('Pictures that the run could have looked at.'),
    inferred: count('Pictures it looked at.'),
    skipped: count('Pictures passed over: the algorithm was busy, or `fps` asked for fewer.'),
    expired: count('Results dropped because they were older than `maxAge`.'),
    failed: count('Pictures on which the algorithm failed.'),
    decoded: count('Pictures decoded for this stream.'),
    resultAgeMs: spread.meta({ description: 'Age of the results when they left the worker.' }),
    inferMs: spread.meta({ description: 'Time the algorithm took.' }),
  })
  .meta({ id: 'RunStatistics' });

export const run = z
  .object({
    id: z.string(),
    stream: z.string(),
    algorithm: z.string(),
    title: localText,
    parameters: z.record(z.string(), z.unknown()),
    state: z.enum(['starting', 'running', 'waiting', 'failed']),
    reason: z.string().optional().meta({ description: 'Why it is not running.' }),
    code: z.string().optional().meta({ description: 'Code of the error, where there is one.' }),
    since: time('When it was started.'),
    burnedIn: z.string().optional().meta({
      description:
        'Name of the stream with the results drawn into the picture, where there may be one; it is made while somebody reads it.',
    }),
    leases: z
      .array(
        z.object({
          id: z.string(),
          holder: z.string(),
          reason: z.string(),
          since: time('When it was taken.'),
        }),
      )
      .meta({ description: 'Who keeps it alive.' }),
    statistics,
    lastResult: z
      .object({
        pts: z.number().meta({ description: 'Timestamp of the picture in 90 kHz ticks.' }),
        time: time('When the picture was captured.'),
        objects: count('Objects in it.'),
      })
      .optional(),
    averageObjects: z
      .number()
      .optional()
      .meta({ description: 'Objects per result, mean over the last 10 s; absent when there was none.' }),
  })
  .meta({ id: 'Run' });

export const runRequest = z
  .strictObject({
    stream: z.string().meta({ description: 'Name of the stream.' }),
    algorithm: z.string().meta({ description: 'Id of the algorithm.' }),
    parameters: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: 'Values that differ from the defaults; a run that exists keeps its own.' }),
    burnIn: burnIn.optional().meta({
      description:
        'With `true` there is a stream `<stream>/<algorithm>` while somebody reads it and the API keeps the run, with the boxes drawn into the picture. Or a map of `labels`, `clock`, `hold` and `maxDelaySeconds`.',
    }),
  })
  .meta({ id: 'RunRequest' });

export const forward = z
  .object({
    stream: z.string(),
    url: z.string().meta({ description: 'Where it is published, without credentials.' }),
    state: z.enum(['idle', 'starting', 'running', 'waiting', 'failed']).meta({
      description:
        '`idle`: the stream is not there. `waiting`: for the next attempt. `failed`: it can never work, and is not tried again.',
    }),
    reason: z.string().optional().meta({ description: 'Why it does not run.' }),
    code: z.string().optional(),
    since: time('When the state began.'),
    bytesSent: count('Bytes that were sent since the forward was configured.'),
  })
  .meta({ id: 'Forward' });

export const hook = z
  .object({
    on: z.array(z.string()).optional(),
    while: z.string().optional(),
    streams: z.string().meta({ description: 'Pattern of names.' }),
    target: z.string().meta({ description: 'Address without credentials and query, or the program.' }),
    queued: count('Events that wait or are being delivered.'),
    delivered: count('Events that were taken, commands that ended well.'),
    failed: count('Events that were given up, commands that ended otherwise.'),
    retried: count('Attempts that failed and were made again.'),
    dropped: count('Events that were lost because too many waited.'),
    last: z
      .object({
        id: z.string(),
        type: z.string(),
        stream: z.string(),
        time: time('When it was over.'),
        ok: z.boolean(),
        status: z.int().optional().meta({ description: 'HTTP status, or exit code.' }),
        message: z.string().optional(),
        attempts: count('Attempts that were made.'),
      })
      .optional()
      .meta({ description: 'What was delivered or given up last.' }),
    running: z
      .array(
        z.object({
          stream: z.string(),
          pid: z.int().optional(),
          since: time('When it was started the last time.'),
          restarts: count('Times it was started again.'),
        }),
      )
      .meta({ description: 'Commands that run while their reason lasts.' }),
  })
  .meta({ id: 'Hook' });

export const worker = z
  .object({
    id: z.string(),
    role: z.string(),
    pid: z.int().optional(),
    state: z.string(),
    reason: z.string().optional(),
    since: time('When it entered this state.'),
    restarts: count('Restarts since the server started.'),
    quarantine: z.boolean().meta({
      description: 'Its tasks made a worker crash again and again, so it is kept from others.',
    }),
    rssBytes: count('Resident memory.').optional(),
    tasks: z.array(
      z.object({
        id: z.string(),
        affinity: z.string(),
        state: z.string(),
        reason: z.string().optional(),
      }),
    ),
  })
  .meta({ id: 'Worker' });

/** What everybody may know of the health. */
export const healthStatus = z.object({ status: health.shape.status }).meta({ id: 'HealthStatus' });

export const session = z
  .object({
    user: z.string().optional().meta({ description: 'Absent where nobody is asked who they are.' }),
    manage: z.boolean().meta({ description: 'Whether they may manage the server.' }),
  })
  .meta({ id: 'Session' });

export const login = z
  .strictObject({ user: z.string().min(1).max(256), password: z.string().min(1).max(1024) })
  .meta({ id: 'Login' });

export const linkRequest = z
  .strictObject({
    stream: z.string(),
    actions: z
      .array(z.enum(['publish', 'read']))
      .min(1)
      .max(2)
      .default(['read']),
    expiresSeconds: z.int().min(1).max(604_800).default(3600),
  })
  .meta({ id: 'LinkRequest' });

export const link = z
  .object({
    stream: z.string(),
    actions: z.array(z.enum(['publish', 'read'])),
    token: z.string().meta({ description: 'Goes behind an address: `?token=<token>`.' }),
    expires: time('When it is of no use any more.'),
  })
  .meta({ id: 'Link' });
