import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { checkRooms } from './check-rooms.ts';

describe('checkRooms', () => {
  const roots: string[] = [];

  function project(files: Record<string, string>): string {
    const root = mkdtempSync(join(tmpdir(), 'sluice-rooms-'));
    roots.push(root);
    const all = { 'package.json': '{ "type": "module", "imports": { "#*": "./src/*" } }', ...files };
    for (const [name, text] of Object.entries(all)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    return root;
  }

  /** The names of the rules that these files break. */
  async function broken(files: Record<string, string>): Promise<Set<string | undefined>> {
    const { violations } = await checkRooms(project(files));
    return new Set(violations.map((violation) => violation.split(':')[0]));
  }

  afterEach(() => {
    for (const root of roots.splice(0)) rmSync(root, { recursive: true });
  });

  it('visits every module and is content with imports that the table allows', async () => {
    const root = project({
      'src/util/bytes.ts': 'export const a = 1;',
      'src/media/track.ts': "import { a } from '#util/bytes.ts';\nexport const b: number = a;",
      'src/hub/hub.ts': "import type { b } from '#media/track.ts';\nexport type B = typeof b;",
    });
    const report = await checkRooms(root);
    expect(report.visited.toSorted()).toEqual(['src/hub/hub.ts', 'src/media/track.ts', 'src/util/bytes.ts']);
    expect(report.missed).toEqual([]);
    expect(report.violations).toEqual([]);
  });

  it('finds an import that goes up, be it a value or only a type', async () => {
    const root = project({
      'src/hub/hub.ts': 'export interface Hub { name: string }\nexport const hub = 1;',
      'src/media/track.ts': "import { hub } from '#hub/hub.ts';\nexport const b = hub;",
      'src/media/unit.ts': "import type { Hub } from '#hub/hub.ts';\nexport type C = Hub;",
    });
    const { violations } = await checkRooms(root);
    expect(violations).toHaveLength(2);
    expect(violations[0]).toContain('room-media: src/media/track.ts → src/hub/hub.ts');
    expect(violations[1]).toContain('room-media: src/media/unit.ts → src/hub/hub.ts');
  });

  it('reads modules with `using`, and the imports in it', async () => {
    const root = project({
      'src/hub/hub.ts': 'export const open = () => ({ [Symbol.asyncDispose]: async () => {} });',
      'src/media/track.ts': [
        "export async function use() {\n  await using hub = (await import('#hub/hub.ts')).open();\n",
        '  using other = { [Symbol.dispose]() {} };\n  return [hub, other];\n}',
      ].join(''),
    });
    const { violations } = await checkRooms(root);
    expect(violations).toHaveLength(1);
    expect(violations[0]).toContain('room-media: src/media/track.ts → src/hub/hub.ts');
  });

  it('lets a test import what it likes', async () => {
    const root = project({
      'src/hub/hub.ts': 'export const hub = 1;',
      'src/media/track.test.ts': "import { hub } from '#hub/hub.ts';\nexport const b = hub;",
    });
    expect((await checkRooms(root)).violations).toEqual([]);
  });

  it('finds a cycle, a file outside of the rooms and an import of nothing', async () => {
    const rules = await broken({
      'src/util/a.ts': "import { b } from './b.ts';\nexport const a: number = b;",
      'src/util/b.ts': "import { a } from './a.ts';\nexport const b: number = a;",
      'src/util/c.ts': "import { d } from './nowhere.ts';\nexport const c = d;",
      'src/attic/old.ts': "import { c } from '#util/c.ts';\nexport const o = c;",
    });
    expect(rules).toEqual(new Set(['no-cycle', 'known-room', 'resolvable']));
  });

  it('finds native code in the server process however long the way there', async () => {
    const root = project({
      'node_modules/node-av/package.json': '{ "name": "node-av", "main": "index.js" }',
      'node_modules/node-av/index.js': 'export const av = 1;',
      'src/pipelines/av.ts': "import { av } from 'node-av';\nexport const a = av;",
      'src/pipelines/decode.ts': "import { av } from 'node-av';\nexport const a = av;",
      'src/app/step.ts': "import { a } from '#pipelines/av.ts';\nexport const s = a;",
      'src/app/server.ts': "import { s } from './step.ts';\nexport const t = s;",
    });
    const { violations } = await checkRooms(root);
    const rules = violations.map((violation) => violation.split(':')[0]);
    expect(new Set(rules)).toEqual(new Set(['no-native-code-in-the-server', 'node-av-in-one-place']));
    expect(violations).toHaveLength(2);
  });

  it('keeps doors apart, and lets them share what stands in feeds', async () => {
    const root = project({
      'src/feeds/rtp/writer.ts': 'export const writer = 1;',
      'src/servers/rtsp/pacer.ts': "import { writer } from '#feeds/rtp/writer.ts';\nexport const p = writer;",
      'src/servers/rtsp/session.ts': "import { p } from './pacer.ts';\nexport const s = p;",
      'src/servers/webrtc/session.ts': "import { p } from '../rtsp/pacer.ts';\nexport const s = p;",
    });
    const { violations } = await checkRooms(root);
    expect(violations).toHaveLength(1);
    expect(violations[0]).toContain('doors-apart: src/servers/webrtc/session.ts → src/servers/rtsp/pacer.ts');
  });

  it("keeps the worker's end of the link away from the hub, but lets the hub's end have it", async () => {
    const rules = await broken({
      'src/hub/hub.ts': 'export const hub = 1;',
      'src/link/framing.ts': "import { hub } from '#hub/hub.ts';\nexport const f = hub;",
      'src/link/client.ts': "import { f } from './framing.ts';\nexport const c = f;",
      'src/link/server.ts': "import { hub } from '#hub/hub.ts';\nexport const s = hub;",
    });
    expect(rules).toEqual(new Set(['link-client-without-hub', 'room-link']));
  });
});
