import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { manifest } from '../../test/support/manifest.ts';
import { findManifests, loadManifest, readManifest } from './manifest.ts';

const models = join(import.meta.dirname, '../../models');
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-manifest-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** What stands in a manifest file, right or wrong. */
const written = (changes: Record<string, unknown> = {}) => ({ ...manifest(), ...changes });

async function write(name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

test('the detector that comes with Sluice is whole', async () => {
  const people = await loadManifest(join(models, 'people.json'));
  expect(people.id).toBe('people');
  expect(people.labels).toHaveLength(80);
  expect(people.title['zh-CN']).toBe('人员与车辆');
});

const property = (value: unknown) => ({
  parameters: { type: 'object', properties: { gain: value }, additionalProperties: false },
});

test.each([
  [{ id: 'Not good' }, '"id"'],
  [{ title: { 'zh-CN': '名' } }, '"title.en"'],
  [{ input: { size: { kind: 'fixed', width: 0, height: 5 }, format: 'gray8' } }, '"input.size.width"'],
  [{ adapter: { kind: 'magic' } }, '"adapter.kind"'],
  [{ surprise: 1 }, 'surprise'],
  [property({ type: 'number' }), '"parameters.properties.gain.default"'],
  [property({ type: 'number', default: 2, maximum: 1 }), 'gain.default": must be at most 1'],
  [
    {
      parameters: {
        type: 'object',
        properties: { fps: { type: 'string', default: '5' } },
        additionalProperties: false,
      },
    },
    'fps.type": must be number',
  ],
])('a manifest with %j is refused with the name of file and field', async (changes, field) => {
  const path = await write('bad.json', written(changes));
  await expect(readManifest(path)).rejects.toMatchObject({
    code: 'ALGORITHM_MANIFEST_INVALID',
    message: expect.stringContaining(field),
  });
  await expect(readManifest(path)).rejects.toThrow(path);
});

test('a file that is not there, or no JSON, is refused with its name', async () => {
  const path = await write('bad.json', '{');
  await expect(readManifest(path)).rejects.toMatchObject({ code: 'ALGORITHM_MANIFEST_INVALID' });
  await expect(readManifest(join(folder, 'none.json'))).rejects.toThrow('none.json');
});

test('a missing model is named, with the way out', async () => {
  const path = await write(
    'good.json',
    written({ adapter: { kind: 'onnx', file: 'x.onnx', decoder: 'nanodet' } }),
  );
  await expect(loadManifest(path)).rejects.toMatchObject({
    code: 'MODEL_MISSING',
    message: expect.stringContaining(join(folder, 'x.onnx')),
  });
});

test('a model whose checksum differs is called corrupt', async () => {
  await write('x.onnx', 'half a model');
  const adapter = { kind: 'onnx', file: 'x.onnx', decoder: 'nanodet', sha256: '0'.repeat(64) };
  const path = await write('good.json', written({ adapter }));
  await expect(loadManifest(path)).rejects.toMatchObject({ code: 'MODEL_CORRUPT' });
});

test('manifests are found in folders and in manifest.json of their subfolders', async () => {
  const one = await write('one.json', written({ id: 'one' }));
  await mkdir(join(folder, 'two'));
  const two = await write('two/manifest.json', written({ id: 'two' }));
  await write('two/other.json', '{}');
  const found = await findManifests([folder, folder]);
  expect([...found.values()].map(({ manifest: { id }, path }) => [id, path])).toEqual([
    ['one', one],
    ['two', two],
  ]);
});

test('two files that give one id are both named', async () => {
  const one = await write('one.json', written());
  const two = await write('two.json', written());
  const failure = findManifests([folder]);
  await expect(failure).rejects.toMatchObject({ code: 'ALGORITHM_DUPLICATE' });
  await expect(failure).rejects.toThrow(one);
  await expect(failure).rejects.toThrow(two);
});

test('a folder that is not there is named', async () => {
  await expect(findManifests([join(folder, 'none')])).rejects.toMatchObject({
    code: 'ALGORITHM_FOLDER_MISSING',
    message: expect.stringContaining('none'),
  });
});
