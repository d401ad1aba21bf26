import { beforeAll, describe, expect, it } from 'vitest';
import { DtlsClient } from 'werift';
import type { MasterKey } from '../srtp/keys.ts';
import { DtlsEndpoint, type DtlsIdentity, makeIdentity } from './endpoint.ts';

let ours: DtlsIdentity;
let theirs: DtlsIdentity;

beforeAll(async () => {
  ours = await makeIdentity();
  theirs = await makeIdentity();
});

type Outcome = { readonly local: MasterKey; readonly remote: MasterKey } | { readonly reason: string };

/** A client shakes hands with us; gives what we say of it, and its own keys. */
async function shakeHands(client: { cert: string; key: string; profiles: (1 | 7)[] }, fingerprint: string) {
  const done = Promise.withResolvers<Outcome>();
  let toClient: (bytes: Buffer) => void = () => {};
  const endpoint = await DtlsEndpoint.open({
    identity: ours,
    fingerprint: fingerprint.replaceAll(':', '').toLowerCase(),
    send: (bytes) => toClient(bytes),
    onKeys: (local, remote) => done.resolve({ local, remote }),
    onClose: (reason) => done.resolve({ reason }),
  });
  const dtls = new DtlsClient({
    transport: {
      type: 'udp',
      onData: () => {},
      send: async (bytes: Buffer) => endpoint.receive(bytes),
    } as unknown as ConstructorParameters<typeof DtlsClient>[0]['transport'],
    srtpProfiles: client.profiles,
    cert: client.cert,
    key: client.key,
    signatureHash: theirs.signatureHash,
    extendedMasterSecret: true,
  });
  toClient = (bytes) => dtls.transport.socket.onData(bytes, ['', 0]);
  await dtls.connect();
  const outcome = await done.promise;
  endpoint.close();
  return { outcome, dtls };
}

describe('a DTLS handshake', () => {
  it.each([
    ['aead-aes-128-gcm', [7, 1], 12],
    ['aes128-cm-sha1-80', [1], 14],
  ] as const)('gives both sides the same keys for %s', async (profile, profiles, saltSize) => {
    const client = { cert: theirs.cert, key: theirs.key, profiles: [...profiles] };
    const { outcome, dtls } = await shakeHands(client, theirs.fingerprint);
    const keys = dtls.extractSessionKeys(16, saltSize);
    expect(outcome).toEqual({
      local: { profile, key: keys.remoteKey, salt: keys.remoteSalt },
      remote: { profile, key: keys.localKey, salt: keys.localSalt },
    });
  });

  it('ends with another certificate than that of the offer', async () => {
    const client = { cert: theirs.cert, key: theirs.key, profiles: [7 as const] };
    const { outcome } = await shakeHands(client, ours.fingerprint);
    expect(outcome).toEqual({ reason: expect.stringContaining('not the one of its offer') });
  });

  it('ends with the certificate of the offer and another key', async () => {
    const client = { cert: theirs.cert, key: ours.key, profiles: [7 as const] };
    const { outcome } = await shakeHands(client, theirs.fingerprint);
    expect(outcome).toEqual({ reason: expect.stringContaining('does not have the key') });
  });
});
