import { createApi } from '#api/server.ts';
import { JobEntries } from '#app/job-entries.ts';
import { AccessControl } from '#auth/access-control.ts';
import { deviceTrouble, isDevice, parseDevice } from '#config/device-address.ts';
import { streamOfAddress } from '#config/job-address.ts';
import { addressesOf, type JobEntry } from '#config/job-schema.ts';
import { parseConfig } from '#config/load.ts';
import { parsePublishedName } from '#hub/name.ts';
import type { JobStatus } from '#jobs/job-status.ts';
import { domain } from '../support/api.ts';
import { expectNamed } from './expect-named.ts';
import type { FuzzTarget } from './run.ts';

const FILE = `# The lobby.
jobs:
  lobby: # for ever
    type: relay
    input: rtsp://anna:hunter2@10.0.0.1/live
    outputs: ["rtsp://feeder:hunter2@10.0.0.4/copy", "stream:copy"]
log:
  level: debug
`;
const read = (text: string) => parseConfig(text, '/nowhere/sluice.yml', { streamName: parsePublishedName });
const WRITTEN = read(FILE);
const KNOWN = Object.values(WRITTEN.jobs).flatMap((job) =>
  addressesOf(job).map(({ address }) => address.url),
);
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** A job as it stands where nothing runs. */
function standing([name, { type }]: [string, JobEntry]): JobStatus {
  const progress = { timeMs: 0, speed: 0, fps: 0, bitRate: 0, drops: 0, bytesSent: 0 };
  return { name, type, state: 'stopped', since: 0, log: [], progress, inputs: [], outputs: [] };
}

/** What the API takes as jobs, and what becomes of it in the file. */
export const jobTargets: readonly FuzzTarget[] = [
  {
    name: 'addresses of devices',
    seeds: () =>
      [
        'desktop:1?fps=30&region=640x360+1+2&audio=none',
        'camera:Logitech%20C920?size=1280x720&audio=0',
        'microphone:hw:1,0',
      ].map((text) => Buffer.from(text)),
    open: () => ({
      take(input) {
        const address = input.toString();
        // One of the two, and neither for what is no device.
        const said = [parseDevice(address), deviceTrouble(address)].filter((one) => one !== undefined);
        if (said.length !== Number(isDevice(address))) throw new Error(`"${address}" is a device and none.`);
      },
    }),
  },
  {
    name: 'bodies of jobs',
    share: 0.1,
    seeds: () => [
      json({ type: 'push', input: 'a.mp4', output: { url: 'out.mp4', existing: 'number' }, loop: true }),
      json({ type: 'split', input: 'stream:yard', video: 'rtsp://10.0.0.2/v', audio: 'rtsp://10.0.0.2/a' }),
      json({ type: 'merge', video: 'rtsp://10.0.0.2/v', audio: 'testsrc', output: 'stream:x', offset: -40 }),
      json({ type: 'relay', input: 'rtsp://***@10.0.0.1/live', outputs: ['rtsp://***@10.0.0.4/copy'] }),
      json({
        ...{
          type: 'transcode',
          input: { url: 'rtsps://10.0.0.2/a', insecure: true },
          output: 'rtmp://a/b/c',
        },
        ...{ video: 'h264', audio: 'aac', bitrate: '2.5M', scale: '1280x', fps: 25, sampleRate: 44_100 },
      }),
      json({ outputs: ['rtsp://***@10.0.0.4/copy'], loop: null, enabled: false }),
    ],
    open: () => {
      let text = FILE;
      let config = WRITTEN;
      const jobs = new JobEntries({
        file: () => ({
          edit: async (change) => {
            text = await change(text, config);
            config = read(text);
          },
          state: { file: '/nowhere/sluice.yml', loadedAt: 0 },
        }),
        config: () => config,
        jobs: () => ({ list: () => Object.entries(config.jobs).map(standing), start() {} }),
        check: async () => {},
      });
      const { hub, runs, burnedIn } = domain();
      const app = createApi({
        ...{ hub, runs, burnedIn, jobs, sources: () => [], workers: () => [], algorithms: () => [] },
        ...{ access: new AccessControl({ users: [], tokens: [] }), version: '0', pageFolder: '/nowhere' },
        place: { host: '127.0.0.1', names: [], origins: [], asksWho: false },
        onFault: (error) => {
          throw error;
        },
      });
      return {
        async take(input) {
          const method = input.length % 2 === 0 ? 'PUT' : 'PATCH';
          const answer = await app.inject({
            ...{ method, url: '/api/jobs/lobby', payload: input },
            headers: { host: '127.0.0.1', 'content-type': 'application/json' },
          });
          expectNamed(answer);
          if (answer.body.includes('hunter2')) throw new Error('A secret was given out.');
          const now = config.jobs['lobby'];
          const trusted = now ? addressesOf(now).filter(({ address }) => !address.restricted) : [];
          for (const { key, address } of trusted) {
            const leadsNowhere = address.url === 'testsrc' || streamOfAddress(address.url) !== undefined;
            if (!leadsNowhere && !KNOWN.includes(address.url))
              throw new Error(`Another ${key} is not restricted.`);
          }
          if (!text.startsWith('# The lobby.\n') || config.log.level !== 'debug')
            throw new Error('Something else changed.');
          text = FILE;
          config = WRITTEN;
        },
        close: () => app.close(),
      };
    },
  },
];
