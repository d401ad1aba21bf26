import type { Manifest } from '#algorithms/contract.ts';

/** The manifest of a plug-in that asks for nothing; a test says what matters to it. */
export function manifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    schema: 1,
    id: 'test',
    version: '1',
    title: { en: 'Test' },
    task: 'detect',
    input: { size: { kind: 'source' }, format: 'gray8' },
    labels: [],
    parameters: { type: 'object', properties: {}, additionalProperties: false },
    licence: 'MIT',
    adapter: { kind: 'plugin', file: 'plugin.ts' },
    ...changes,
  };
}
