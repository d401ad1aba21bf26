import { isDeepStrictEqual } from 'node:util';
import { createApi } from '#api/server.ts';
import { StreamEntries } from '#app/stream-entries.ts';
import { AccessControl } from '#auth/access-control.ts';
import { editEntry } from '#config/edit-entries.ts';
import { parseConfig } from '#config/load.ts';
import { compileStreamPattern, isStreamPattern, patternTrouble } from '#config/stream-pattern.ts';
import { LEADING_KEYS, streamSchema } from '#config/stream-schema.ts';
import { streamEntries } from '#config/stream-text.ts';
import { parseStreamName } from '#hub/name.ts';
import { innerPlace } from '#util/inner-address.ts';
import { hostOf } from '#util/outward-address.ts';
import { domain } from '../support/api.ts';
import { expectNamed } from './expect-named.ts';
import type { FuzzTarget } from './run.ts';

const FILE = `# The yard.
streams:
  yard/gate: # by the road
    source: rtsp://anna:hunter2@10.0.0.1/live
    detect: &looked [people]
    forward: ["rtsp://feeder:hunter2@10.0.0.4/copy"]
  hall: { detect: *looked }
log:
  level: debug
`;
const read = (text: string) => parseConfig(text, '/nowhere/sluice.yml', { streamName: parseStreamName });
const WRITTEN = read(FILE);
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** Entries as the server has them, over a file in memory. */
function entriesInMemory() {
  let text = FILE;
  let config = WRITTEN;
  const entries = new StreamEntries({
    file: () => ({
      edit: async (change) => {
        text = await change(text, config);
        config = read(text);
      },
      state: { file: '/nowhere/sluice.yml', loadedAt: 0 },
    }),
    config: () => config,
    check: async () => {},
  });
  return {
    entries,
    text: () => text,
    config: () => config,
    reset: () => {
      text = FILE;
      config = WRITTEN;
    },
  };
}

/** What the API takes as streams of the configuration, and what becomes of it in the file. */
export const streamTargets: readonly FuzzTarget[] = [
  {
    name: 'bodies of stream entries',
    share: 0.1,
    seeds: () => [
      json({ source: 'rtsp://***@10.0.0.1/live', onDemand: false, transport: 'tcp' }),
      json({ source: 'testsrc', detect: ['people', { algorithm: 'motion', parameters: { fps: 2 } }] }),
      json({ loop: null, fingerprint: 'ab'.repeat(32), insecure: true }),
      json({ source: 'testsrc', fill: 'rtsp://10.0.0.2/a', standby: 'a.png', standbyAfterSeconds: 1 }),
      json({ forward: ['srt://10.0.0.3:9000', { url: 'rtsp://***@10.0.0.4/copy', insecure: true }] }),
    ],
    open: () => {
      const { entries, config, reset } = entriesInMemory();
      const { hub, runs, burnedIn } = domain();
      const app = createApi({
        ...{ hub, runs, burnedIn, entries, sources: () => [], workers: () => [], algorithms: () => [] },
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
            ...{ method, url: '/api/config/streams/yard%2Fgate', payload: input },
            headers: { host: '127.0.0.1', 'content-type': 'application/json' },
          });
          expectNamed(answer);
          if (answer.body.includes('hunter2')) throw new Error('A secret was given out.');
          const now = config().streams['yard/gate'];
          const written = WRITTEN.streams['yard/gate'];
          for (const key of LEADING_KEYS) {
            const free: unknown[] = [undefined, 'testsrc', written?.[key]];
            if (!free.includes(now?.[key]) && !now?.restricted.includes(key))
              throw new Error(`Another ${key} is not restricted.`);
          }
          const known = written?.forward.map(({ url }) => url) ?? [];
          if (now?.forward.some(({ url, restricted }) => !restricted && !known.includes(url)))
            throw new Error('Another address of a forward is not restricted.');
          reset();
        },
        close: () => app.close(),
      };
    },
  },
  {
    name: 'names in the configuration file',
    share: 0.1,
    seeds: () =>
      [
        'yard/gate-2',
        '7',
        'true',
        '*',
        'yard/*',
        '~^cam-(\\d+)$',
        '- a',
        '&x *y',
        '"q"',
        '# c',
        '__proto__',
      ].map((name) => Buffer.from(name)),
    open: () => ({
      async take(input) {
        const name = input.toString('utf8');
        const { entries, text, config } = entriesInMemory();
        const { 'yard/gate': gate, hall } = config().streams;
        await entries.set(name, { keys: { source: 'rtsp://cam/live', detect: ['people'] }, whole: true });
        const after = config();
        if (![...entries.list().keys()].includes(isStreamPattern(name) ? name : parseStreamName(name)))
          throw new Error(`${name} is not in the file.`);
        if (!isDeepStrictEqual([after.streams['hall'], after.log.level], [hall, 'debug']))
          throw new Error('Something else changed.');
        if (!text().startsWith('# The yard.\n')) throw new Error('A comment is gone.');
        await entries.remove(isStreamPattern(name) ? name : parseStreamName(name));
        const left = config().streams;
        if (left['hall'] === undefined || (left['yard/gate'] && !isDeepStrictEqual(left['yard/gate'], gate)))
          throw new Error('More was taken out.');
      },
    }),
  },
  {
    name: 'configuration files that are edited',
    share: 0.2,
    seeds: () =>
      [
        FILE,
        `${FILE}# the end`,
        'streams: { a: { source: x.mp4 }, b: { detect: [people], loop: true } } # on one line\n',
        'demo:   true\n\n\nstreams:\n    a:   # wide\n        source:    "x.mp4"\n\n    # two\n    b:\n        detect:\n        - people\n',
        '# nothing\nstreams:\n#  a: {}\n---\n',
        '\uFEFFlog: &l\r\n  level: info\r\n? streams\r\n: { 7: { source: testsrc } }\r\n...\r\n',
      ].map((one) => Buffer.from(one)),
    open: () => ({
      take(input) {
        const text = input.toString('utf8');
        const before = read(text);
        const forward = ['srt://archive:9000', { url: 'rtsp://cloud/a', restricted: true }];
        const entry = streamSchema.parse({ source: 'rtsp://cam/live', restricted: true, forward });
        const added = editEntry(streamEntries, text, 'fuzz/new', undefined, entry);
        const { streams, ...rest } = read(added);
        const { 'fuzz/new': own, ...others } = streams;
        const same = [{ ...rest, streams: others }, before.streams['fuzz/new'] ?? own];
        if (!isDeepStrictEqual(same, [before, entry])) throw new Error('Something else changed.');
        if (before.streams['fuzz/new'] === undefined) {
          const shorter = { ...entry, restricted: [], forward: entry.forward.slice(1) };
          const changed = read(editEntry(streamEntries, added, 'fuzz/new', entry, shorter)).streams;
          if (!isDeepStrictEqual(changed, { ...others, 'fuzz/new': shorter }))
            throw new Error('It is another one.');
        }
        const removed = editEntry(streamEntries, added, 'fuzz/new', entry, undefined);
        if (!isDeepStrictEqual(read(removed), before)) throw new Error('It is not as it was.');
      },
    }),
  },
  {
    name: 'names of pattern streams',
    seeds: () =>
      [
        '~^cam-(\\d+)$\nrtsp://u:p@10.0.0.$1:554/live\ncam-7',
        'yard/*\nrtsp://nvr/live/$1?x=$1\nyard/gate/1',
        '~(.+)\n/films/$1/a.mp4\n../etc',
        '~(.*)-(.*)\nhttp://$1.example.org:80$2/x\na-1',
      ].map((one) => Buffer.from(one)),
    open: () => ({
      take(input) {
        const [key = '', source = '', name = ''] = input.toString('utf8').split('\n');
        if (!isStreamPattern(key) || patternTrouble(key, { source }) !== undefined) return;
        const pattern = compileStreamPattern(key, source);
        try {
          parseStreamName(name);
        } catch {
          // No door lets such a name through.
          return;
        }
        const found = pattern.match(name)?.source;
        if (found === undefined || !/^[a-z]+:\/\//i.test(source)) return;
        const [host, written] = [hostOf(found), hostOf(source.replaceAll('$$', '$'))];
        if (!pattern.choosesHost && host !== written) throw new Error(`${host} instead of ${written}`);
        innerPlace(host);
      },
    }),
  },
];
