import { beforeAll, describe, expect, it } from 'vitest';
import { DtlsClient } from 'werift';
import type { MasterKey } from '../srtp/keys.ts';
import { DtlsEndpoint, type DtlsIdentity, type DtlsRole, makeIdentity } from './endpoint.ts';

let ours: DtlsIdentity;
let theirs: DtlsIdentity;

beforeAll(async () => {
  ours = await makeIdentity();
  theirs = await makeIdentity();
});

type Outcome = { readonly local: MasterKey; readonly remote: MasterKey } | { readonly reason: string };

const plain = (fingerprint: string) => fingerprint.replaceAll(':', '').toLowerCase();

/** A client of the library shakes hands with us; gives what we say of it, and its own keys. */
async function shakeHands(client: { cert: string; key: string; profiles: (1 | 7)[] }, fingerprint: string) {
  const done = Promise.withResolvers<Outcome>();
  let toClient: (bytes: Buffer) => void = () => {};
  const endpoint = await DtlsEndpoint.open({
    identity: ours,
    role: 'server',
    fingerprint: plain(fingerprint),
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

/** What the network does to a datagram: how often it arrives. */
type Network = (bytes: Buffer) => number;

/** Two endpoints of ours; gives what each side says. */
async function together(
  identity: DtlsIdentity,
  expected = identity.fingerprint,
  { toServer = () => 1, toClient = () => 1 }: { toServer?: Network; toClient?: Network } = {},
) {
  const outcomes = { server: Promise.withResolvers<Outcome>(), client: Promise.withResolvers<Outcome>() };
  const ends: { server?: DtlsEndpoint; client?: DtlsEndpoint } = {};
  const open = (role: DtlsRole, own: DtlsIdentity, fingerprint: string, send: (bytes: Buffer) => void) =>
    DtlsEndpoint.open({
      ...{ identity: own, role, send },
      fingerprint: plain(fingerprint),
      onKeys: (local, remote) => outcomes[role].resolve({ local, remote }),
      onClose: (reason) => outcomes[role].resolve({ reason }),
    });
  const carry = (to: 'server' | 'client', network: Network) => (bytes: Buffer) => {
    for (let left = network(bytes); left > 0; left--) ends[to]?.receive(Buffer.from(bytes));
  };
  ends.server = await open('server', identity, ours.fingerprint, carry('client', toClient));
  ends.client = await open('client', ours, expected, carry('server', toServer));
  ends.client.begin();
  const client = await outcomes.client.promise;
  // A client that breaks off says nothing.
  const server = 'reason' in client ? undefined : await outcomes.server.promise;
  ends.client.close();
  ends.server.close();
  return { client, server };
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
    expect(outcome).toEqual({ reason: expect.stringContaining('not the one of its description') });
  });

  it('ends with the certificate of the offer and another key', async () => {
    const client = { cert: theirs.cert, key: ours.key, profiles: [7 as const] };
    const { outcome } = await shakeHands(client, theirs.fingerprint);
    expect(outcome).toEqual({ reason: expect.stringContaining('does not have the key') });
  });
});

describe('a DTLS handshake that we begin', () => {
  it('gives both sides the same keys', async () => {
    const { client, server } = await together(theirs);
    const { local, remote } = server as { local: MasterKey; remote: MasterKey };
    expect(client).toEqual({ local: remote, remote: local });
  });

  it('bears that everything comes twice, as from a client that is impatient with a busy server', async () => {
    const { client, server } = await together(theirs, undefined, { toServer: () => 2, toClient: () => 2 });
    const { local, remote } = server as { local: MasterKey; remote: MasterKey };
    expect(client).toEqual({ local: remote, remote: local });
  });

  it('goes on when the last word of the server was lost', async () => {
    let lost = 0;
    // Encrypted, so of the second epoch: what ends the handshake.
    const isLast = (bytes: Buffer) => bytes[0] === 22 && bytes.readUInt16BE(3) === 1;
    const { client, server } = await together(theirs, undefined, {
      toClient: (bytes) => (isLast(bytes) && lost++ === 0 ? 0 : 1),
    });
    const { local, remote } = server as { local: MasterKey; remote: MasterKey };
    expect(client).toEqual({ local: remote, remote: local });
    expect(lost).toBeGreaterThan(1);
  });

  it('ends with another certificate than that of the answer', async () => {
    const { client } = await together(theirs, ours.fingerprint);
    expect(client).toEqual({ reason: expect.stringContaining('not the one of its description') });
  });

  it('ends with the certificate of the answer and another key', async () => {
    const { client } = await together({ ...theirs, key: ours.key });
    expect(client).toEqual({ reason: expect.stringContaining('does not have the key') });
  });
});

describe('a DTLS connection', () => {
  it('carries data both ways once the keys are there, tells its end, and lets what is cut short go by', async () => {
    const heard: string[] = [];
    const keys = { server: Promise.withResolvers<void>(), client: Promise.withResolvers<void>() };
    const ends: { server?: DtlsEndpoint; client?: DtlsEndpoint } = {};
    const open = (
      role: DtlsRole,
      identity: DtlsIdentity,
      fingerprint: string,
      send: (bytes: Buffer) => void,
    ) =>
      DtlsEndpoint.open({
        ...{ identity, role, send },
        fingerprint: plain(fingerprint),
        onKeys: () => keys[role].resolve(),
        onData: (bytes) => heard.push(`${role} ${bytes.toString()}`),
        onClose: (reason) => heard.push(`${role} ${reason}`),
      });
    ends.server = await open('server', ours, theirs.fingerprint, (bytes) => ends.client?.receive(bytes));
    ends.client = await open('client', theirs, ours.fingerprint, (bytes) => ends.server?.receive(bytes));
    ends.client.sendData(Buffer.from('too early'));
    ends.client.begin();
    await Promise.all([keys.server.promise, keys.client.promise]);
    for (const text of ['one', 'two']) {
      ends.client.sendData(Buffer.from(text));
      ends.server.sendData(Buffer.from(text));
    }
    ends.server.receive(Buffer.from([23, 254, 253, 0, 1]));
    ends.server.close();
    expect(heard).toEqual([
      ...['server one', 'client one', 'server two', 'client two'],
      'client The other side closed the connection.',
    ]);
  });

  /** Two that are connected, and what they hear. */
  async function connected() {
    const heard: string[] = [];
    const keys = { server: Promise.withResolvers<void>(), client: Promise.withResolvers<void>() };
    const ends: { server?: DtlsEndpoint; client?: DtlsEndpoint } = {};
    const open = (role: DtlsRole, identity: DtlsIdentity, other: DtlsIdentity, to: DtlsRole) =>
      DtlsEndpoint.open({
        ...{ identity, role },
        fingerprint: plain(other.fingerprint),
        send: (bytes) => ends[to]?.receive(bytes),
        onKeys: () => keys[role].resolve(),
        onData: (bytes) => heard.push(`${role} ${bytes.toString()}`),
        onClose: (reason) => heard.push(`${role} ${reason}`),
      });
    ends.server = await open('server', ours, theirs, 'client');
    ends.client = await open('client', theirs, ours, 'server');
    ends.client.begin();
    await Promise.all([keys.server.promise, keys.client.promise]);
    return { heard, server: ends.server, client: ends.client };
  }

  const record = (type: number, epoch: number, body: Buffer) => {
    const bytes = Buffer.alloc(13 + body.length);
    bytes.set([type, 254, 253]);
    bytes.writeUInt16BE(epoch, 3);
    bytes.writeUInt16BE(body.length, 11);
    body.copy(bytes, 13);
    return bytes;
  };

  it('is not shaken by what anybody could send: handshakes and alerts in clear, and unknown records', async () => {
    const { heard, server, client } = await connected();
    // ClientHello without a session, a cookie and extensions, which a fresh connection would answer.
    const hello = Buffer.concat([
      Buffer.from([254, 253]),
      Buffer.alloc(32),
      Buffer.from([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]),
    ]);
    const head = Buffer.from([1, 0, 0, hello.length, 0, 0, 0, 0, 0, 0, 0, hello.length]);
    const forged = [
      Buffer.concat([record(20, 0, Buffer.from([1])), record(22, 0, Buffer.concat([head, hello]))]),
      record(21, 0, Buffer.from([2, 40])),
      record(21, 0, Buffer.from([1, 0])),
      record(21, 1, Buffer.from([1, 0])),
      record(40, 0, Buffer.from([1])),
      Buffer.concat([record(23, 1, Buffer.alloc(40)), record(22, 0, Buffer.concat([head, hello]))]),
    ];
    for (const bytes of forged) {
      server.receive(bytes);
      client.receive(bytes);
    }
    await new Promise(setImmediate);
    server.sendData(Buffer.from('still'));
    client.sendData(Buffer.from('there'));
    expect(heard).toEqual(['client still', 'server there']);
    server.close();
    client.close();
  });
});
