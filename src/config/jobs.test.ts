import { describe, expect, it } from 'vitest';
import { NamedError } from '#util/named-error.ts';
import { editEntry } from './edit-entries.ts';
import { restrictedAddresses, wishedJob } from './job-change.ts';
import { type JobEntry, jobSchema } from './job-schema.ts';
import { jobEntries } from './job-text.ts';
import { parseConfig } from './load.ts';

const read = (jobs: string) => parseConfig(`demo: false\njobs:\n  a: ${jobs}\n`, '/etc/sluice.yml').jobs['a'];

function refusal(jobs: string): string {
  try {
    read(jobs);
  } catch (error) {
    if (error instanceof NamedError) return error.message;
    throw error;
  }
  throw new Error('It was accepted.');
}

describe('a job of the configuration', () => {
  it('has addresses as text or as maps, and paths that are absolute', () => {
    expect(read('{ type: push, input: films/a.mp4, output: { url: out.mkv, existing: overwrite } }')).toEqual(
      {
        type: 'push',
        input: { url: '/etc/films/a.mp4', transport: 'auto', insecure: false, restricted: false },
        output: { url: '/etc/out.mkv', existing: 'overwrite', insecure: false, restricted: false },
        ...{ noVideo: false, noAudio: false, loop: false, enabled: true },
      },
    );
    expect(
      read('{ type: relay, input: "stream:yard/gate", outputs: ["stream:copy", "srt://a:9000"] }'),
    ).toMatchObject({
      input: { url: 'stream:yard/gate' },
      outputs: [{ url: 'stream:copy' }, { url: 'srt://a:9000' }],
    });
    const small =
      '{ type: transcode, input: "rtsp://a/b", output: "rtmp://a/b/c", bitrate: 2.5M, scale: 1280x }';
    expect(read(small)).toMatchObject({ bitrate: 2_500_000, scale: '1280x', video: 'copy', audio: 'copy' });
  });

  it.each([
    ['{ type: psh }', '"jobs.a.type" must be one of push, split, merge, relay, transcode.'],
    ['3', '"jobs.a" must be a map with a `type`'],
    ['{ type: push, input: a.mp4, output: "rtsp://a/b", lop: 1 }', 'Did you mean "jobs.a.loop"?'],
    ['{ type: push, input: { url: "rtsp://a", transprt: tcp }, output: x.ts }', '"jobs.a.input.transport"?'],
    ['{ type: relay, input: a.mp4, outputs: [{ url: x.ts, insecur: 1 }] }', '"jobs.a.outputs.0.insecure"?'],
    ['{ type: push, input: "ftp://a", output: x.ts }', '"jobs.a.input" must be the path of a video file'],
    ['{ type: push, input: a.mp4, output: "ftp://a" }', '"jobs.a.output" must be an rtsp://'],
    ['{ type: push, input: { url: "rtsps://a", transport: udp }, output: x.ts }', 'cannot be `udp`'],
    ['{ type: push, input: a.mp4, output: x.ts, noVideo: true, noAudio: true }', 'nothing would be left'],
    ['{ type: relay, input: a.mp4, outputs: [] }', 'at least one address'],
    ['{ type: relay, input: a.mp4, outputs: [x.ts, x.ts] }', 'the same address twice'],
    ['{ type: transcode, input: a.mp4, output: x.ts, scale: 1281x }', 'must be WIDTHxHEIGHT in even pixels'],
    ['{ type: transcode, input: a.mp4, output: x.ts, bitrate: 2.5X }', 'must be bits per second'],
    [
      '{ type: push, input: "stream:y", output: "stream:y" }',
      '"jobs.a.input" is a stream that this job publishes',
    ],
    ['{ type: push, input: "stream:jobs/a/in", output: x.ts }', 'that this job publishes itself'],
  ])('%s is refused with key and rule', (text, rule) => {
    expect(refusal(text)).toContain(rule);
  });

  it('has a name that can be a part of the name of a stream', () => {
    const named = (name: string) =>
      parseConfig(`jobs: { "${name}": { type: push, input: a.mp4, output: x.ts } }`, '/etc/sluice.yml');
    for (const name of ['a b', 'a/b', '.a', '', 'x'.repeat(65)])
      expect(() => named(name)).toThrow('is no name');
    expect(Object.keys(named('Lobby_1.~-').jobs)).toEqual(['Lobby_1.~-']);
  });
});

const entry = (value: object): JobEntry => jobSchema.parse(value);

describe('a job that somebody wants over the API', () => {
  const wish = (before: JobEntry | undefined, keys: Record<string, unknown>, whole = false) =>
    wishedJob('a', before, keys, { whole, folder: '/etc' });
  const before = entry({
    type: 'relay',
    input: 'rtsp://me:secret@cam/1',
    outputs: ['rtsp://me:secret@one/x', { url: 'rtsp://two/x', restricted: true }],
  });

  it('marks the addresses that are new, and no others', () => {
    const made = wish(undefined, { type: 'push', input: 'films/a.mp4', output: 'stream:copy' }, true);
    expect(made).toMatchObject({ input: { url: '/etc/films/a.mp4' } });
    expect(restrictedAddresses(made)).toEqual(['input']);
    // What leads nowhere, or only to streams, needs no mark.
    const own = wish(undefined, { type: 'push', input: 'testsrc', output: 'stream:copy' }, true);
    expect(restrictedAddresses(own)).toEqual([]);
    const changed = wish(before, { outputs: ['rtsp://two/x', 'rtsp://three/x', 'rtsp://***@one/x'] });
    expect(restrictedAddresses(changed)).toEqual(['outputs[0]', 'outputs[1]']);
    expect(changed).toMatchObject({
      outputs: [{}, {}, { url: 'rtsp://me:secret@one/x', restricted: false }],
    });
    // A path that was sent back as it was shown is the same.
    const film = wish(undefined, { type: 'push', input: 'a.mp4', output: 'rtsp://x/y' }, true);
    const trusted = entry({ ...film, input: { url: '/etc/a.mp4' } });
    expect(restrictedAddresses(wish(trusted, { input: 'a.mp4' }))).toEqual(['output']);
  });

  it('does not let who sends an address say that it is trusted', () => {
    const made = wish(
      undefined,
      { type: 'push', input: 'testsrc', output: { url: 'rtsp://a/b', restricted: false } },
      true,
    );
    expect(restrictedAddresses(made)).toEqual(['output']);
    // Where a key was an output it does not become an input that is trusted.
    const split = entry({ type: 'split', input: 'testsrc', video: 'rtsp://a/v', audio: 'rtsp://a/a' });
    const merge = wish(split, {
      type: 'merge',
      video: 'rtsp://a/v',
      audio: 'rtsp://a/a',
      output: 'stream:x',
    });
    expect(restrictedAddresses(merge)).toEqual(['video', 'audio']);
  });

  it('keeps what is not said, and takes nothing over from another type', () => {
    expect(wish(before, { loop: true })).toEqual({ ...before, loop: true });
    expect(wish(before, { loop: null, enabled: false })).toMatchObject({ loop: false, enabled: false });
    expect(() => wish(before, { type: 'push' })).toThrow('"jobs.a.input" must be');
    expect(() => wish(before, { outputs: ['rtsp://***@four/x'] })).toThrow('***');
    expect(() => wish(before, { outpts: [] })).toThrow(
      '"jobs.a" has no key "outpts"; did you mean "outputs".',
    );
  });
});

describe('the text of a job', () => {
  const FILE = `# Mine.
jobs:
  # The lobby.
  lobby: # for ever
    type: push
    input: "films/a.mp4"
    loop:  true
    output: stream:lobby

  all:
    type: relay
    input: stream:lobby
    outputs:
      # The first.
      - rtsp://one/x
      - url: rtsp://two/x   # the second
        insecure: true
log:
  level: debug
`;
  const edit = (name: string, change: (before: JobEntry | undefined) => JobEntry | undefined) => {
    const job = parseConfig(FILE, '/etc/sluice.yml').jobs[name];
    return editEntry(jobEntries, FILE, name, job, change(job));
  };

  it('is added behind the others, with marks that explain themselves, and taken out again', () => {
    const added = edit('new', () =>
      entry({
        type: 'push',
        input: 'testsrc',
        output: { url: 'rtsp://a/b', restricted: true },
        noAudio: true,
      }),
    );
    expect(added).toContain(
      '  new:\n    type: push\n    input: testsrc\n    output:\n      url: rtsp://a/b\n      restricted: true # the address came over the API; take this line out to trust it\n    noAudio: true\n',
    );
    const made = parseConfig(added, '/etc/sluice.yml').jobs['new'];
    expect(editEntry(jobEntries, added, 'new', made, undefined)).toBe(FILE);
  });

  it('changes by its keys alone, and in a list by its items', () => {
    const stopped = edit('lobby', (job) => job && { ...job, enabled: false });
    expect(stopped).toBe(FILE.replace('stream:lobby\n\n', 'stream:lobby\n    enabled: false\n\n'));
    const shorter = edit('all', (job) => {
      if (job?.type !== 'relay') throw new Error('It is another one.');
      const more = { url: 'rtsp://three/x', insecure: false, restricted: false };
      return { ...job, outputs: [...job.outputs.slice(1), more] };
    });
    expect(shorter).toContain('- url: rtsp://two/x');
    expect(shorter).toContain('- rtsp://three/x');
    expect(shorter).not.toContain('rtsp://one/x');
    expect(parseConfig(shorter, '/etc/sluice.yml').jobs['all']).toMatchObject({
      outputs: [{ url: 'rtsp://two/x', insecure: true }, { url: 'rtsp://three/x' }],
    });
  });

  it('loses the keys of a type that it is not any more', () => {
    const text = edit('lobby', () => entry({ type: 'relay', input: 'testsrc', outputs: ['stream:x'] }));
    expect(parseConfig(text, '/etc/sluice.yml').jobs['lobby']).toEqual(
      entry({ type: 'relay', input: 'testsrc', outputs: ['stream:x'] }),
    );
    expect(text).not.toContain('output:');
  });
});
