import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { NamedError } from '#util/named-error.ts';
import { forwardKind } from './forward-schema.ts';
import { loadConfig, parseConfig } from './load.ts';
import { isLoopback } from './loopback.ts';
import { nearest } from './nearest.ts';
import { configKeys, configReference } from './reference.ts';
import { defaultConfig } from './schema.ts';

const root = resolve(import.meta.dirname, '..', '..');

function refusal(text: string): { code: string; message: string } {
  try {
    parseConfig(text, 'sluice.yml');
  } catch (error) {
    if (error instanceof NamedError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('The configuration was accepted.');
}

describe('the configuration', () => {
  it('is complete when the file is empty, and when everything below a key is commented out', () => {
    expect(parseConfig('', 'sluice.yml')).toEqual(defaultConfig());
    expect(parseConfig('rtsp:\n#  port: 1\nhost:\n', 'sluice.yml')).toEqual(defaultConfig());
  });

  it('names an unknown key, its line and the nearest key that there is', () => {
    expect(refusal('rtsp:\n  prot: 3\n')).toEqual({
      code: 'CONFIG_UNKNOWN_KEY',
      message: 'sluice.yml, line 2: there is no key "rtsp.prot". Did you mean "rtsp.port"?',
    });
    expect(refusal('streams: { a/b: { source: x.mp4, lop: 1 } }').message).toContain('"streams.a/b.loop"');
    expect(refusal('zebra:\n').message).toContain('The keys are: host, rtsp,');
    expect(refusal('streams: { a: { detect: [{ algoritm: x }] } }').message).toContain(
      'Did you mean "streams.a.detect.0.algorithm"?',
    );
  });

  it('names the key, the rule and the line of a wrong value', () => {
    expect(refusal('demo: true\nrtsp:\n  port: abc\n')).toEqual({
      code: 'CONFIG_INVALID',
      message: 'sluice.yml, line 3: "rtsp.port" must be a whole number from 0 to 65535.',
    });
    expect(refusal('workers: { max: lots }').message).toContain(
      '"workers.max" must be a whole number from 2 to 64, or auto.',
    );
    expect(refusal('streams: { a: {} }').message).toContain('"streams.a" must have a `source`');
    expect(refusal('rtsp: { udpPort: 8001 }').message).toContain('"rtsp.udpPort" must be an even number');
    expect(refusal('rtsp: { udpPort: any }').message).toContain(
      '"rtsp.udpPort" must be an even whole number from 0 to 65534, or auto.',
    );
    expect(refusal('rtsp: { transports: [] }').message).toContain(
      '"rtsp.transports" must be a list of tcp, udp or multicast',
    );
    expect(refusal('a: *b').message).toBe(
      'sluice.yml: this is no YAML: Unresolved alias (the anchor must be set before the alias): b.',
    );
    expect(refusal('- a').message).toBe('sluice.yml: The file must be a map of keys and values.');
    for (const one of ['rtmpe', 'file', 'pipe'])
      expect(refusal(`streams: { a: { source: "${one}://x/y" } }`).message).toContain(
        'let them publish to Sluice',
      );
    expect(refusal('streams: { a: { source: "rtsp://u:p@x/y", transport: sctp } }').message).toContain(
      '"streams.a.transport" must be one of auto, tcp, udp.',
    );
  });

  it('reports everything that is wrong at once, in the order of the file', () => {
    const { code, message } = refusal('demo: maybe\nlog:\n  level: loud\n  size: 3\n');
    expect(code).toBe('CONFIG_INVALID');
    expect(message.split('\n').map((line) => line.split(':')[0])).toEqual([
      'sluice.yml, line 1',
      'sluice.yml, line 3',
      'sluice.yml, line 4',
    ]);
  });

  it('says where a file is no YAML', () => {
    expect(refusal('a: 1\na: 2')).toEqual({
      code: 'CONFIG_INVALID',
      message: 'sluice.yml, line 2: this is no YAML: Map keys must be unique.',
    });
  });

  it('refuses an address that is not loopback, and says why', () => {
    expect(refusal('host: 0.0.0.0')).toMatchObject({ code: 'CONFIG_NOT_LOOPBACK' });
    expect(refusal('host: 0.0.0.0').message).toContain(
      'Either set "users" (docs/users.md), or leave "host" at 127.0.0.1',
    );
    const anna = 'users: [{ name: anna, password: secret, permissions: [{ actions: [read] }] }]';
    expect(parseConfig(`host: 0.0.0.0\n${anna}`, 'sluice.yml').host).toBe('0.0.0.0');
    for (const host of ['localhost', '127.0.0.1', '127.8.9.1', '::1']) expect(isLoopback(host)).toBe(true);
    for (const host of ['0.0.0.0', '::', '192.168.1.4', 'example.org', '1270.0.0.1', '']) {
      expect(isLoopback(host)).toBe(false);
    }
  });

  it.each([
    ['demo: false\nhttp: { port: 8554 }', 2, '"rtsp.port" (8554) and "http.port" (8554)', 'TCP'],
    ['rtsp:\n  port: 8888\n', 2, '"rtsp.port" (8888) and "http.port" (8888)', 'TCP'],
    ['rtsp: { port: 1234 }\nhttp:\n  port: 1234\n', 3, '"rtsp.port" (1234) and "http.port" (1234)', 'TCP'],
    ['http: { port: 1935 }', 1, '"rtmp.port" (1935) and "http.port" (1935)', 'TCP'],
    ['http: { port: 8189 }', 1, '"http.port" (8189) and "webrtc.port" (8189)', 'TCP'],
    [
      'tls: { cert: a, key: b }\nhttp: { tlsPort: 8322 }',
      2,
      '"rtsp.tlsPort" (8322) and "http.tlsPort" (8322)',
      'TCP',
    ],
    [
      'webrtc: { port: 8001 }\nrtsp:\n  udpPort: 8000\n',
      3,
      '"rtsp.udpPort" (8000 and 8001) and "webrtc.port" (8001)',
      'UDP',
    ],
  ])(
    'refuses one port for two doors, also where one of them is a default: %s',
    (text, line, keys, protocol) => {
      expect(refusal(text)).toEqual({
        code: 'CONFIG_INVALID',
        message: `sluice.yml, line ${line}: ${keys} are one ${protocol} port, and each needs its own. Change one of them.`,
      });
    },
  );

  it.each([
    'rtsp: { port: 0 }\nhttp: { port: 0 }',
    // Without a certificate these are closed.
    'http: { tlsPort: 8554 }\nrtmp: { tlsPort: 8554 }',
    // TCP and UDP have ports of their own.
    'webrtc: { port: 8888, transports: [udp] }',
    'webrtc: { port: 8000, transports: [tcp] }\nrtsp: { udpPort: 8000 }',
    'webrtc: { port: 8001 }\nrtsp: { udpPort: 8000, transports: [tcp] }',
    // This one goes elsewhere, with a warning.
    'webrtc: { port: 8000 }',
  ])("takes ports that are nobody else's: %s", (text) => {
    expect(() => parseConfig(text, 'sluice.yml')).not.toThrow();
  });

  it('takes rtsps:// sources with a fingerprint, and none of them over UDP', () => {
    const source = 'source: "rtsps://cam/live"';
    const hex = 'ab'.repeat(32);
    const { streams } = parseConfig(`streams: { a: { ${source}, fingerprint: ${hex} } }`, 'sluice.yml');
    expect(streams['a']).toMatchObject({ source: 'rtsps://cam/live', fingerprint: hex, insecure: false });
    expect(refusal(`streams: { a: { ${source}, transport: udp } }`).message).toContain(
      '"streams.a.transport" cannot be `udp` for an rtsps:// source',
    );
    expect(refusal(`streams: { a: { ${source}, fingerprint: abc } }`).message).toContain('64 hexadecimal');
    expect(refusal('tls: { cert: a.pem }').message).toContain('"tls" must have both `cert` and `key`');
  });

  it('takes addresses to forward to, alone or with the certificate that is expected', () => {
    const hex = 'ab'.repeat(32);
    const { streams } = parseConfig(
      `streams: { a: { forward: ["srt://x:9000", { url: "rtsps://y/a", fingerprint: ${hex} }] } }`,
      'sluice.yml',
    );
    expect(streams['a']?.forward).toEqual([
      { url: 'srt://x:9000', insecure: false, restricted: false },
      { url: 'rtsps://y/a', fingerprint: hex, insecure: false, restricted: false },
    ]);
    const forward = (list: string) => refusal(`streams: { a: { forward: ${list} } }`).message;
    expect(forward('["ftp://u:secret@x/a"]')).toBe(
      'sluice.yml, line 1: "streams.a.forward.0" must be an rtsp://, rtsps://, rtmp://, rtmps://, srt://, udp://, whip://, whips:// or https://…/whip address, or stream:name of this server: nothing can be forwarded to ftp:// here.',
    );
    expect(forward('[here]')).toContain('must be an rtsp://');
    expect(forwardKind('https://token@host/a/whip?b=c')).toBe('whip');
    expect(forwardKind('WHIP://host/a')).toBe('whip');
    expect(forwardKind('stream:yard/copy')).toBe('stream');
    expect(forwardKind('stream://yard')).toBeUndefined();
    expect(forward('["https://host/whip/index.m3u8"]')).toContain('nothing can be forwarded to https://');
    expect(forward('["udp://x:1", "udp://x:1"]')).toContain('must not have the same address twice');
    expect(forward('[{ url: "srt://x:1", insecur: true }]')).toContain(
      'Did you mean "streams.a.forward.0.insecure"?',
    );
  });

  it('says which keys came over the API; true is the source', () => {
    const restricted = (value: string) =>
      parseConfig(`streams: { a: { source: x.mp4, restricted: ${value} } }`, 'sluice.yml').streams['a']
        ?.restricted;
    expect(restricted('true')).toEqual(['source']);
    expect(restricted('false')).toEqual([]);
    expect(restricted('[standby, source, standby]')).toEqual(['source', 'standby']);
    const wrong = (value: string) =>
      refusal(`streams: { a: { source: x.mp4, restricted: ${value} } }`).message;
    expect(wrong('[sauce]')).toContain('"streams.a.restricted.0" must be one of source, fill, standby');
    expect(wrong('maybe')).toContain('"streams.a.restricted" must be true or false, or a list of source');
  });

  it('takes how results are burned in as true, or as a map of what differs', () => {
    const burnIn = (value: string) =>
      parseConfig(`streams: { a: { detect: [{ algorithm: x, burnIn: ${value} }] } }`, 'sluice.yml').streams[
        'a'
      ]?.detect[0];
    const plain = { labels: true, clock: false, hold: false, maxDelaySeconds: 5 };
    expect(burnIn('true')).toEqual({ algorithm: 'x', parameters: {}, burnIn: plain });
    expect(burnIn('{ clock: true }')).toMatchObject({ burnIn: { ...plain, clock: true } });
    expect(burnIn('false')).toEqual({ algorithm: 'x', parameters: {}, burnIn: undefined });
    const wrong = (value: string) =>
      refusal(`streams: { a: { detect: [{ algorithm: x, burnIn: ${value} }] } }`).message;
    expect(wrong('{ maxDelaySeconds: 90 }')).toContain('must be a whole number from 1 to 20');
    expect(wrong('maybe')).toContain('"streams.a.detect.0.burnIn" must be true or false, or a map with');
  });

  it('asks the hub whether a stream may have its name', () => {
    const streamName = (name: string) => {
      if (name === 'api') throw new NamedError('STREAM_NAME_INVALID', '"api" is reserved.');
    };
    const text = 'streams:\n  ok: { detect: [x] }\n  api: { detect: [x] }\n';
    expect(() => parseConfig(text, 'sluice.yml', { streamName })).toThrow(
      'sluice.yml, line 3: "api" is reserved.',
    );
  });

  it('takes an algorithm by its id or with parameters, and paths relative to the file', () => {
    const text =
      'streams: { a: { source: v/x.mp4, detect: [nanodet, { algorithm: b, parameters: { fps: 2 } }] } }';
    expect(parseConfig(text, '/etc/sluice/sluice.yml').streams['a']).toEqual({
      source: '/etc/sluice/v/x.mp4',
      onDemandStartSeconds: 10,
      standbyAfterSeconds: 3,
      onDemandCloseSeconds: 10,
      transport: 'auto',
      insecure: false,
      loop: true,
      detect: [
        { algorithm: 'nanodet', parameters: {} },
        { algorithm: 'b', parameters: { fps: 2 } },
      ],
      restricted: [],
      forward: [],
    });
    const camera = 'rtsp://u:p@camera/live';
    expect(parseConfig(`streams: { a: { source: "${camera}" } }`, '/etc/s.yml').streams['a']?.source).toBe(
      camera,
    );
    expect(parseConfig('algorithms: { folders: [../own] }', '/etc/s/s.yml').algorithms.folders).toEqual([
      '/etc/own',
    ]);
  });

  it('is read from a file, and a file that is named must be there', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
    try {
      writeFileSync(join(folder, 'a.yml'), 'http: { port: 9000 }');
      expect((await loadConfig(join(folder, 'a.yml'))).http.port).toBe(9000);
      await expect(loadConfig(join(folder, 'b.yml'))).rejects.toMatchObject({ code: 'CONFIG_MISSING' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the nearest key', () => {
  it('is found over a few wrong, missing or swapped letters, and only then', () => {
    expect(nearest('prot', ['port', 'host'])).toBe('port');
    expect(nearest('session_timeout', ['sessionTimeout', 'port'])).toBe('sessionTimeout');
    expect(nearest('banana', ['port', 'host'])).toBeUndefined();
    expect(nearest('x', [])).toBeUndefined();
  });
});

describe('what is written about the configuration', () => {
  const example = readFileSync(join(root, 'sluice.example.yml'), 'utf8');

  /** With what is commented out in use: `#` before a line of the file, where a sentence has a space behind it. */
  const inUse = example.replace(/^#(?! \S|$)/gm, '');

  it('the example is right with what is commented out in it', () => {
    expect(parseConfig(inUse, join(root, 'sluice.example.yml')).users.map(({ name }) => name)).toEqual([
      'anna',
      'any',
    ]);
  });

  it('the example has every key', () => {
    const written = paths(parse(inUse)).map((path) => path.replace(/^(streams|jobs)\.[^.]+\./, '$1.<name>.'));
    expect(new Set(configKeys().map((key) => key.path)).difference(new Set(written))).toEqual(new Set());
  });

  it('the example parses, and but for its streams and hooks it says the defaults', () => {
    const config = parseConfig(example, join(root, 'sluice.example.yml'));
    expect({ ...config, streams: {}, hooks: [] }).toEqual(defaultConfig());
    expect(Object.keys(config.streams)).toEqual([
      'hall',
      'yard/gate-2',
      'yard/gate-3',
      'yard/gate-5',
      'yard/gate-6',
      'test',
      'yard/gate-4',
      'yard/gate-1',
      '~^cam-(\\d{1,3})$',
    ]);
  });

  it('every key has a title and a description', () => {
    for (const { path, field } of configKeys()) {
      expect(field.title, path).toBeTruthy();
      expect(field.description, path).toBeTruthy();
    }
  });

  it('docs/configuration.md is what "npm run docs" makes of the schema', () => {
    expect(readFileSync(join(root, 'docs', 'configuration.md'), 'utf8')).toBe(configReference());
  });
});

/** Paths of a document in the notation of {@link configKeys}. */
function paths(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((item) => paths(item, `${path}[]`))];
  if (typeof value !== 'object' || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([key, inner]) => paths(inner, path === '' ? key : `${path}.${key}`)),
  ];
}
