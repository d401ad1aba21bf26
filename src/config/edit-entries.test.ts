import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { editEntry } from './edit-entries.ts';
import { parseConfig } from './load.ts';
import { type StreamEntry, streamSchema } from './stream-schema.ts';
import { streamEntries } from './stream-text.ts';

const entry = (input: object): StreamEntry => streamSchema.parse(input);

/** The text with another entry, as the server does it: what there was comes from the text itself. */
function edit(text: string, name: string, after: object | undefined): string {
  const { streams } = parseConfig(text, '/etc/sluice.yml');
  return editEntry(streamEntries, text, name, streams[name], after && entry(after));
}

const FILE = `# The yard of the north gate.
host: 127.0.0.1 # nobody else

streams:
  # The gate.
  yard/gate-1: # by the road
    source: "rtsp://anna:secret@10.0.0.1/live"
    # Long, because the camera is slow.
    onDemandStartSeconds: 30

  # The hall.
  hall:
    detect: &looked [people]
  cellar:
    detect: *looked

# How much is said.
log:
  level: debug
`;

describe('an entry of streams', () => {
  it('is added behind the others, and everything else stays byte for byte', () => {
    const edited = edit(FILE, 'yard/gate-2', { source: 'rtsp://10.0.0.2/live', onDemand: false });
    const added = '  yard/gate-2:\n    source: rtsp://10.0.0.2/live\n    onDemand: false\n';
    expect(edited).toContain(added);
    expect(edited.replace(added, '')).toBe(FILE);
  });

  it('keeps that results are drawn into the picture, and how', () => {
    const edited = edit(FILE, 'new', {
      detect: [
        { algorithm: 'people', burnIn: true },
        { algorithm: 'motion', burnIn: { clock: true } },
      ],
    });
    expect(parse(edited).streams.new.detect).toEqual([
      { algorithm: 'people', burnIn: true },
      { algorithm: 'motion', burnIn: { labels: true, clock: true, hold: false, maxDelaySeconds: 5 } },
    ]);
  });

  it('is changed key by key: comments and quotes of the others stay', () => {
    const edited = edit(FILE, 'yard/gate-1', {
      source: 'rtsp://10.0.0.9/live',
      onDemandStartSeconds: 30,
      detect: ['people', { algorithm: 'motion', parameters: { fps: 2 } }],
    });
    expect(edited).toContain(
      '  # The gate.\n  yard/gate-1: # by the road\n    source: "rtsp://10.0.0.9/live"\n',
    );
    expect(edited).toContain('    # Long, because the camera is slow.\n    onDemandStartSeconds: 30\n');
    expect(parse(edited).streams['yard/gate-1'].detect).toEqual([
      'people',
      { algorithm: 'motion', parameters: { fps: 2 } },
    ]);
  });

  it('loses the keys that are as by default again', () => {
    const edited = edit(FILE, 'yard/gate-1', { source: 'rtsp://anna:secret@10.0.0.1/live' });
    expect(parse(edited).streams['yard/gate-1']).toEqual({ source: 'rtsp://anna:secret@10.0.0.1/live' });
  });

  it('is taken out with its own comments, and not with those of its neighbours', () => {
    const edited = edit(FILE, 'cellar', undefined);
    expect(edited).toBe(FILE.replace('  cellar:\n    detect: *looked\n', ''));
  });

  it('is left alone where others hang on its anchor, and the error says so', () => {
    for (const after of [undefined, { detect: ['motion'] }]) {
      expect(() => edit(FILE, 'hall', after)).toThrow(/hangs on "hall" \(an anchor or an alias\)/);
    }
    // A whole entry that is an alias gets a content of its own.
    const aliased = 'streams:\n  a: &cam\n    source: x.mp4\n  b: *cam\n';
    expect(parse(edit(aliased, 'b', { source: 'y.mp4' })).streams).toEqual({
      a: { source: 'x.mp4' },
      b: { source: 'y.mp4' },
    });
    expect(() => edit(aliased, 'a', { source: 'y.mp4' })).toThrow(/hangs on/);
  });

  it('finds its place in files without streams, without anything, and on one line', () => {
    const cam = { source: 'rtsp://cam/live' };
    const whole = { streams: { cam } };
    for (const text of ['', '# nothing yet\n', 'streams:\n', 'streams: {}\n', 'streams:\n#  a: {}\n'])
      expect(parse(edit(text, 'cam', cam)), text).toEqual(whole);
    expect(edit('# nothing yet\n', 'cam', cam)).toContain('# nothing yet\n');
    expect(edit('streams:\n#  a: {}\n', 'cam', cam)).toContain('a: {}');
    const flow = edit('streams: { a: { source: x.mp4 } }\n', 'cam', cam);
    expect(parse(flow)).toEqual({ streams: { a: { source: 'x.mp4' }, cam } });
    expect(edit('rtsp: { port: 1 }\n', 'cam', cam)).toMatch(/^rtsp: \{ port: 1 \}\nstreams:\n {2}cam:\n/);
  });

  it('is written as the file is: with its indentation, its dashes and its ends of lines', () => {
    const wide = 'log:\n    level: debug\n';
    expect(edit(wide, 'cam', { source: 'rtsp://cam/live' })).toBe(
      `${wide}streams:\n    cam:\n        source: rtsp://cam/live\n`,
    );
    const flush = 'hooks:\n- on: [publish]\n  url: http://h/\n';
    expect(edit(flush, 'cam', { detect: ['people'] })).toBe(
      `${flush}streams:\n  cam:\n    detect:\n    - people\n`,
    );
    expect(edit('log:\r\n  level: debug\r\n', 'cam', { source: 'rtsp://cam/a' })).toBe(
      'log:\r\n  level: debug\r\nstreams:\r\n  cam:\r\n    source: rtsp://cam/a\r\n',
    );
  });

  it('has a name that YAML may take for something else', () => {
    for (const name of ['7', 'true', 'null', '1.5', '-', '~^cam-(\\d+)$', '*', 'yard/*', 'constructor']) {
      const edited = edit('demo: true\n', name, { source: 'rtsp://cam/live' });
      const { streams } = parseConfig(edited, '/x.yml');
      expect(Object.keys(streams)).toEqual([name]);
      expect(parse(edit(edited, name, undefined)).streams ?? {}).toEqual({});
    }
    expect(parse(edit('streams:\n  7:\n    source: x.mp4\n', '7', { source: 'y.mp4' })).streams).toEqual({
      7: { source: 'y.mp4' },
    });
  });

  it('is the only thing that changes in a file that is written as nobody else would', () => {
    const odd = `host: 127.0.0.1      # nobody else
rtsp:    { port: 8554,
           transports: [ tcp,
                         udp ] }


streams:
  hall:          { detect: [people] }   # on one line


  cellar:
    source:      /films/a.mp4           # far to the right
    loop:        false


#   yard: {}
log: {level: debug}`;
    const added = '  new:\n    source: rtsp://cam/live\n';
    const edited = edit(odd, 'new', { source: 'rtsp://cam/live' });
    expect(edited.replace(added, '')).toBe(odd);
    expect(parse(edited).streams.new).toEqual({ source: 'rtsp://cam/live' });
    expect(edit(edited, 'new', undefined)).toBe(odd);
    expect(edit(odd, 'cellar', { source: '/films/b.mp4', loop: false })).toBe(
      odd.replace('source:      /films/a.mp4           #', 'source: /films/b.mp4 #'),
    );
  });

  it('says of what the API wrote how it can be trusted', () => {
    const edited = edit(FILE, 'new', { source: 'rtsp://10.0.0.3/live', restricted: true });
    expect(edited).toContain(
      '    restricted: true # the source came over the API; take this line out to trust it\n',
    );
    const more = edit(edited, 'new', {
      source: 'rtsp://10.0.0.3/live',
      fill: 'rtsp://10.0.0.4/sound',
      restricted: ['source', 'fill'],
    });
    expect(more).toContain(
      '    restricted: [ source, fill ] # these came over the API; take out what you trust\n',
    );
  });

  it('keeps the addresses of a forward as they were written, beside one that the API adds', () => {
    const before = `streams:
  hall:
    forward:
      # The archive.
      - srt://archive:9000 # over there
      - url: rtsps://cloud/hall
        insecure: true # for now
`;
    const forward = [
      { url: 'srt://archive:9000' },
      { url: 'rtsps://cloud/hall', insecure: true },
      { url: 'rtmp://live/app/key', restricted: true },
    ];
    const edited = edit(before, 'hall', { forward });
    expect(edited).toBe(
      `${before}      - url: rtmp://live/app/key
        restricted: true # the address came over the API; take this line out to trust it
`,
    );
    expect(edit(edited, 'hall', { forward: forward.slice(0, 2) })).toBe(before);
    expect(edit('streams: {}\n', 'a', { forward: forward.slice(0, 1) })).toBe(
      'streams:\n  a:\n    forward:\n      - srt://archive:9000\n',
    );
  });

  it('changes nothing else in the sample configuration', () => {
    const example = readFileSync(resolve(import.meta.dirname, '../../sluice.example.yml'), 'utf8');
    const edited = edit(example, 'added', { source: 'rtsp://cam/live' });
    const added = '  added:\n    source: rtsp://cam/live\n';
    expect(edited).toContain(added);
    expect(edited.replace(added, '')).toBe(example);
    expect(edit(edited, 'added', undefined)).toBe(example);
  });
});
