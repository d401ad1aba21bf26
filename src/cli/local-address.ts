import { stat } from 'node:fs/promises';
import { isDevice } from '#config/device-address.ts';
import { pathOfOutput, streamOfAddress } from '#config/job-address.ts';
import { TEST_SOURCE } from '#config/source.ts';

/** As streams are named, without the ending that files have. */
const NAME = /^(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*\/){0,7}[A-Za-z0-9_~-]+$/;

/**
 * What an address of the command line means: a name without a scheme, which is no file and no device, is a stream of the
 * server on this machine.
 * @param rtsp address of that server; asked only where it is needed
 */
export async function meantAddress(
  address: string,
  side: 'input' | 'output',
  rtsp: () => Promise<string>,
): Promise<string> {
  const named = streamOfAddress(address) ?? (await streamName(address, side));
  return named === undefined ? address : `${await rtsp()}/${named}`;
}

async function streamName(address: string, side: 'input' | 'output'): Promise<string | undefined> {
  if (pathOfOutput(address) === undefined || !NAME.test(address)) return undefined;
  if (side === 'output') return address;
  if (address === TEST_SOURCE || isDevice(address)) return undefined;
  const isThere = await stat(address).then(
    () => true,
    () => false,
  );
  return isThere ? undefined : address;
}
