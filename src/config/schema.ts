import { z } from 'zod';
import { accessShape } from './access-schema.ts';
import { oneOf, section, wholeNumber, yesOrNo } from './fields.ts';
import { hookSchema } from './hook-schema.ts';
import { iceServerSchema } from './ice-server-schema.ts';
import { jobSchema } from './job-schema.ts';
import { streamSchema } from './stream-schema.ts';

/**
 * The configuration file: one schema checks it, gives the defaults, and makes docs/configuration.md. Every field has a
 * title and a description; a description names the unit, and a rule is worded so that it can follow the key in an
 * error: `"rtsp.port" must be a whole number from 0 to 65535`.
 */

const hostRule = 'must be a name without a port';

const originRule = 'must be an origin such as https://control.example.org, without a path, or *';

const port = () => wholeNumber(0, 65_535);

const transportsRule = 'must be a list of tcp, udp or multicast, with tcp or udp among them';

const groupsRule = 'must be a range of multicast addresses such as 239.255.83.0/24, /16 to /32';

const groupPortRule = 'must be an even number from 1024 to 63486';

const workersRule = 'must be a whole number from 2 to 64, or auto';

const addressesRule = 'must be a list of IP addresses';

const mediaRule = 'must be a list of udp, tcp or both';

const udpPortRule = 'must be an even whole number from 0 to 65534, or auto';

export const configSchema = section({
  host: z.string({ error: 'must be an address' }).default('127.0.0.1').meta({
    title: 'Address to listen on',
    description:
      'Without users a loopback address; with `users`, `tokens`, `jwt` or `authHook` any address of this machine, or `0.0.0.0` for all.',
  }),
  rtsp: section({
    port: port().default(8554).meta({
      title: 'RTSP port',
      description: 'TCP port where streams are published and read over RTSP; 0 takes any free one.',
    }),
    tlsPort: port().default(8322).meta({
      title: 'RTSPS port',
      description:
        'TCP port of RTSP over TLS, open where `tls.cert` and `tls.key` are given; 0 takes any free one. Media travel inside the connection.',
    }),
    sessionTimeout: wholeNumber(5, 3600).default(60).meta({
      title: 'RTSP session time-out, seconds',
      description: 'A session from which nothing came for so long is closed.',
    }),
    transports: z
      .array(oneOf('tcp', 'udp', 'multicast'), { error: transportsRule })
      .refine((list) => list.some((one) => one !== 'multicast'), { error: transportsRule })
      .default(['tcp', 'udp'])
      .meta({
        title: 'Transports of RTSP',
        description:
          'How media may travel: `tcp`, inside the connection; `udp`, beside it; `multicast`, from here to all who read at a time, in this network: whoever is in it can receive what somebody reads so. The client chooses; one that asks for what is not here is offered another.',
      }),
    udpPort: z
      .union(
        [
          wholeNumber(0, 65_534).refine((value) => value % 2 === 0, { error: 'must be an even number' }),
          z.literal('auto', { error: udpPortRule }),
        ],
        { error: udpPortRule },
      )
      .default('auto')
      .meta({
        title: 'UDP port of RTSP',
        description:
          'UDP port for the RTP of all sessions, an even number; RTCP uses the next one. 0 takes any free pair. `auto` is 8000, and media travel over TCP only where it is busy; a port that is given must be free.',
      }),
    multicast: section({
      addresses: z
        .string({ error: groupsRule })
        .regex(/^2(?:2[4-9]|3\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}\/(?:1[6-9]|2\d|3[0-2])$/, {
          error: groupsRule,
        })
        .default('239.255.83.0/24')
        .meta({
          title: 'Addresses of multicast',
          description: 'IPv4 group addresses; each stream that is read by multicast takes one of them.',
        }),
      port: wholeNumber(1024, 63_486)
        .refine((value) => value % 2 === 0, { error: groupPortRule })
        .default(8002)
        .meta({
          title: 'Port of multicast',
          description:
            'UDP port to which the first track of the first stream is sent, an even number. Each stream takes eight ports from here on.',
        }),
      ttl: wholeNumber(0, 255).default(16).meta({
        title: 'Reach of multicast',
        description: 'How many routers may hand the packets on; 0 is this machine only, 1 this network.',
      }),
    })
      .prefault({})
      .meta({ title: 'Multicast', description: 'Where streams are sent with `multicast` in `transports`.' }),
    reorderMs: wholeNumber(0, 2000).default(100).meta({
      title: 'Waiting for packets, milliseconds',
      description:
        'How long packets that a publisher sends over UDP wait for one that is missing before them. Then it is lost, and video goes on with the next keyframe.',
    }),
  })
    .prefault({})
    .meta({ title: 'RTSP', description: 'The RTSP door.' }),
  rtmp: section({
    port: port().default(1935).meta({
      title: 'RTMP port',
      description: 'TCP port where streams are published and read over RTMP; 0 takes any free one.',
    }),
    tlsPort: port().default(1936).meta({
      title: 'RTMPS port',
      description:
        'TCP port of RTMP over TLS, open where `tls.cert` and `tls.key` are given; 0 takes any free one.',
    }),
  })
    .prefault({})
    .meta({ title: 'RTMP', description: 'The RTMP door.' }),
  http: section({
    port: port().default(8888).meta({
      title: 'HTTP port',
      description: 'TCP port of the page, the API, the player and the metrics; 0 takes any free one.',
    }),
    tlsPort: port().default(8443).meta({
      title: 'HTTPS port',
      description:
        'TCP port of all this over TLS, open where `tls.cert` and `tls.key` are given; 0 takes any free one.',
    }),
    allowedHosts: z
      .array(z.string({ error: hostRule }).regex(/^[\w.-]+$/, { error: hostRule }), {
        error: 'must be a list of names',
      })
      .default([])
      .meta({
        title: 'Names of this server',
        description:
          'Names by which browsers may reach the server, without a port, e.g. `video.example.org`; addresses and `localhost` need no entry. Others are refused: somebody may have pointed their name here (DNS rebinding).',
      }),
    allowedOrigins: z
      .array(
        z
          .string({ error: originRule })
          .refine((value) => value === '*' || URL.parse(value)?.origin === value, {
            error: originRule,
          }),
        { error: 'must be a list of origins' },
      )
      .default([])
      .meta({
        title: 'Pages of others',
        description:
          'Origins whose pages may use this server as its own page does (CORS), e.g. `https://control.example.org`: WHIP, WHEP, WebSockets, the API. They get no cookie of the page, so they show a token. `*` is every page in the world; where nobody is asked who they are, each of them could then do everything.',
      }),
  })
    .prefault({})
    .meta({ title: 'HTTP', description: 'Everything that is not RTSP.' }),
  tls: section({
    cert: z.string({ error: 'must be the path of a PEM file' }).default('').meta({
      title: 'Certificate',
      description:
        'Path of a PEM file, relative to the configuration file: the certificate, and behind it those up to the root. Read anew when it changes. Empty: no port speaks TLS.',
    }),
    key: z.string({ error: 'must be the path of a PEM file' }).default('').meta({
      title: 'Key of the certificate',
      description: 'Path of a PEM file, relative to the configuration file.',
    }),
  })
    .refine(({ cert, key }) => (cert === '') === (key === ''), {
      error: 'must have both `cert` and `key`, or neither',
    })
    .prefault({})
    .meta({ title: 'TLS', description: 'The certificate of the ports that speak TLS.' }),
  hls: section({
    lowLatency: yesOrNo().default(true).meta({
      title: 'Low latency',
      description:
        'Segments come in parts, and players are told of each as soon as it is there; when false, plain HLS. Players that do not know low latency play either.',
    }),
    segmentCount: wholeNumber(3, 100).default(7).meta({
      title: 'Segments',
      description: 'How many segments the playlist has. As many again stay in memory for slow players.',
    }),
    segmentSeconds: wholeNumber(1, 60).default(1).meta({
      title: 'Shortest segment, seconds',
      description:
        'A segment ends with the first keyframe after this, so it is at least as long as from one keyframe to the next.',
    }),
    partMs: wholeNumber(50, 2000).default(200).meta({
      title: 'Length of a part, milliseconds',
      description: 'With low latency: as many whole pictures as come nearest to this.',
    }),
    segmentMaxBytes: wholeNumber(65_536, 1_073_741_824).default(16_777_216).meta({
      title: 'Largest segment, bytes',
      description:
        'A segment that would be larger ends early, and the picture goes on with the next keyframe. Four times as much is kept of a stream.',
    }),
    closeSeconds: wholeNumber(5, 3600).default(60).meta({
      title: 'Closing, seconds',
      description: 'So long after the last request no more segments of a stream are made.',
    }),
    alwaysOn: yesOrNo().default(false).meta({
      title: 'Always on',
      description:
        'Segments are made of every stream that is there, so that the first player need not wait for them.',
    }),
  })
    .prefault({})
    .meta({ title: 'HLS', description: 'The HLS door, on the HTTP port.' }),
  webrtc: section({
    port: port().default(8189).meta({
      title: 'Port of WebRTC',
      description:
        'UDP port for the media of all WebRTC sessions, and TCP port for browsers in networks that let no UDP through; 0 takes any free one.',
    }),
    transports: z
      .array(oneOf('udp', 'tcp'), { error: mediaRule })
      .min(1, { error: mediaRule })
      .default(['udp', 'tcp'])
      .meta({
        title: 'Transports of WebRTC',
        description:
          'What browsers are offered: `udp`; `tcp`, which they take where UDP does not get through.',
      }),
    addresses: z
      .array(z.ipv4({ error: addressesRule }).or(z.ipv6({ error: addressesRule })), { error: addressesRule })
      .default([])
      .meta({
        title: 'Addresses of WebRTC',
        description:
          'Further IP addresses under which browsers reach this machine, such as the public one of a router that forwards the port.',
      }),
    iceServers: z.array(iceServerSchema, { error: 'must be a list of ICE servers' }).default([]).meta({
      title: 'ICE servers',
      description:
        'STUN and TURN servers that WHIP and WHEP clients are told of (`Link` headers), each a map with `urls` and, for TURN, `username` and `credential`. Sluice itself needs none.',
    }),
    sessionsPerClient: wholeNumber(1, 2000).default(500).meta({
      title: 'Most sessions of a client',
      description:
        'So many WebRTC sessions one user may have behind one address at a time, publishing and watching, of the 2000 that there are; one more is refused (429).',
    }),
  })
    .prefault({})
    .meta({ title: 'WebRTC', description: 'The WebRTC door; it is asked for over HTTP.' }),
  demo: yesOrNo().default(true).meta({
    title: 'Demonstration camera',
    description:
      'Adds the stream `demo`: a street video in a loop, in which people are detected while somebody watches. A stream `demo` of your own takes its place.',
  }),
  streams: z.record(z.string(), streamSchema, { error: 'must be a map of stream names' }).default({}).meta({
    title: 'Streams',
    description:
      'Streams by name, e.g. `yard/gate-1`, or by a pattern of names. A stream that is only published needs no entry.',
  }),
  sources: section({
    allowLocal: yesOrNo().default(false).meta({
      title: 'Local sources over the API',
      description:
        'What is given over the API (sources, second sources, stand-bys, forwards, addresses of jobs) may lead anywhere: to any file, to this machine, its cable and the metadata service of its cloud. When false, it may not, after a restart neither (see `restricted` of a stream); what stands in this file by your own hand always may.',
    }),
    folders: z
      .array(z.string({ error: 'must be a path' }).min(1, { error: 'must be a path' }), {
        error: 'must be a list of folders',
      })
      .default([])
      .meta({
        title: 'Folders for the API',
        description:
          'Folders, relative to the configuration file, from which the API may take files, with all that is below them. Empty: none.',
      }),
    patternStreams: wholeNumber(1, 10_000).default(64).meta({
      title: 'Most streams of patterns',
      description:
        'So many streams may have the source of an entry whose key is a pattern, at a time; who wants one more is refused.',
    }),
  })
    .prefault({})
    .meta({ title: 'Sources', description: 'What sources may do.' }),
  jobs: z.record(z.string(), jobSchema, { error: 'must be a map of names and jobs' }).default({}).meta({
    title: 'Jobs',
    description:
      'Tasks of transport by name: what is pushed, split, merged, relayed or transcoded from where to where (docs/jobs.md).',
  }),
  outputs: section({
    folders: z
      .array(z.string({ error: 'must be a path' }).min(1, { error: 'must be a path' }), {
        error: 'must be a list of folders',
      })
      .default([])
      .meta({
        title: 'Folders for outputs over the API',
        description:
          'Folders, relative to the configuration file, into which jobs that come over the API may write files, over those that are there too, with all that is below them. Empty: none.',
      }),
  })
    .prefault({})
    .meta({ title: 'Outputs', description: 'What outputs may do.' }),
  hooks: z.array(hookSchema, { error: 'must be a list of hooks' }).default([]).meta({
    title: 'Hooks',
    description: 'Who is told what happens to streams; `/api/hooks` says how it went.',
  }),
  algorithms: section({
    folders: z
      .array(z.string({ error: 'must be a path' }), { error: 'must be a list of folders' })
      .default([])
      .meta({
        title: 'Folders with algorithms',
        description:
          'Folders with manifests, relative to the configuration file, beside the built-in `models` folder.',
      }),
    memoryMb: wholeNumber(64, 1_048_576).default(1024).meta({
      title: 'Memory of an algorithm, MiB',
      description:
        'The process of an algorithm that uses more resident memory is ended and started again; the run says why.',
    }),
  })
    .prefault({})
    .meta({ title: 'Algorithms', description: 'Where algorithms are found.' }),
  workers: section({
    max: z
      .union([wholeNumber(2, 64), z.literal('auto', { error: workersRule })], { error: workersRule })
      .default('auto')
      .meta({
        title: 'Most worker processes',
        description:
          'Processes that run FFmpeg (each algorithm has one of its own besides); `auto` is one per processor core, at least 2. They are started when there is work.',
      }),
    memoryMb: wholeNumber(64, 1_048_576).default(1024).meta({
      title: 'Memory of a worker, MiB',
      description:
        'A worker that uses more resident memory is ended and started again; `/api/workers` says why.',
    }),
  })
    .prefault({})
    .meta({ title: 'Workers', description: 'The processes in which native code runs.' }),
  reader: section({
    queueMs: wholeNumber(100, 60_000).default(2000).meta({
      title: 'Queue of a reader, milliseconds',
      description:
        'A reader that is further behind loses video up to the next keyframe, and keeps its sound.',
    }),
    queueBytes: wholeNumber(65_536, 1_073_741_824).default(8_388_608).meta({
      title: 'Queue of a reader, bytes',
      description: 'The same limit in bytes; whichever is reached first counts.',
    }),
    stallSeconds: wholeNumber(1, 600).default(10).meta({
      title: 'Patience with a reader, seconds',
      description: 'A reader that takes nothing for so long is closed.',
    }),
  })
    .prefault({})
    .meta({ title: 'Readers', description: 'How far a slow reader may fall behind.' }),
  publisher: section({
    takeover: yesOrNo().default(true).meta({
      title: 'Takeover',
      description: 'A second publisher of a stream replaces the first; when false, it is refused.',
    }),
    holdSeconds: wholeNumber(0, 600).default(15).meta({
      title: 'Hold, seconds',
      description: 'Readers stay so long after a publisher is gone, and go on with the next one.',
    }),
  })
    .prefault({})
    .meta({ title: 'Publishers', description: 'What happens when publishers come and go.' }),
  ...accessShape,
  log: section({
    level: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent')
      .default('info')
      .meta({ title: 'Log level', description: 'What is less important than this is not logged.' }),
    format: oneOf('pretty', 'json', 'auto').default('auto').meta({
      title: 'Log format',
      description: '`auto` is `pretty` on a terminal and `json`, one object a line, elsewhere.',
    }),
  })
    .prefault({})
    .meta({ title: 'Log', description: 'Goes to the standard error output.' }),
});

/** A checked configuration, complete with defaults. Paths are absolute. */
export type Config = z.output<typeof configSchema>;

/** The configuration of an empty file. */
export function defaultConfig(): Config {
  return configSchema.parse({});
}
