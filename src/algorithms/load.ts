import { messageOf, NamedError } from '#util/named-error.ts';
import type { Algorithm } from './contract.ts';
import { LegacyService } from './http/legacy.ts';
import { adapterFile, type FoundManifest, loadManifest } from './manifest.ts';
import { NanoDet } from './onnx/nanodet.ts';
import { loadPlugin } from './plugin.ts';

/**
 * Makes the algorithm that the manifest file describes. This pulls in native code (ONNX Runtime): only for the
 * process of an algorithm host. Throws what `loadManifest` and `loadPlugin` throw, or MODEL_INVALID.
 */
export async function loadAlgorithm(
  path: string,
): Promise<FoundManifest & { readonly algorithm: Algorithm }> {
  const manifest = await loadManifest(path);
  const { adapter } = manifest;
  if (adapter.kind === 'http') return { manifest, path, algorithm: new LegacyService(adapter) };
  const file = adapterFile(adapter, path);
  if (adapter.kind === 'plugin') {
    return { manifest, path, algorithm: await loadPlugin(manifest, file) };
  }
  try {
    return { manifest, path, algorithm: await NanoDet.open(manifest, file) };
  } catch (error) {
    throw new NamedError(
      'MODEL_INVALID',
      `The model ${file} of algorithm "${manifest.id}" cannot be used: ${messageOf(error)}.`,
      503,
      { cause: error },
    );
  }
}
