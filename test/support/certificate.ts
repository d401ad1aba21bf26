import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './process.ts';

/** A self-signed certificate for 127.0.0.1 in a folder of its own, made by openssl. */
export async function selfSigned() {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
  const cert = join(folder, 'cert.pem');
  const key = join(folder, 'key.pem');
  /** Makes the pair (anew), under a common name. */
  const make = async (name: string) => {
    const made = await run('openssl', [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-keyout', `${key}.new`, '-out', `${cert}.new`],
    ]);
    if (made.code !== 0) throw new Error(`openssl: ${made.stderr}`);
    await rename(`${key}.new`, key);
    await rename(`${cert}.new`, cert);
  };
  await make('first');
  return {
    cert,
    key,
    renew: make,
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}
