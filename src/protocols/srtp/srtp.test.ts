import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { buildRtp } from '../rtp/packet.ts';
import { packetCipher } from './cipher.ts';
import { deriveKey, type MasterKey, SRTP_PROFILES, type SrtpProfile } from './keys.ts';
import { nearestIndex, rtpHeaderSize, SrtpReceiver, SrtpSender } from './srtp.ts';

const hex = (digits: string) => Buffer.from(digits.replace(/\s/g, ''), 'hex');
const profiles = Object.keys(SRTP_PROFILES) as SrtpProfile[];

function master(profile: SrtpProfile, fill = 1): MasterKey {
  const { keySize, saltSize } = SRTP_PROFILES[profile];
  return { profile, key: Buffer.alloc(keySize, fill), salt: Buffer.alloc(saltSize, fill + 1) };
}

function packet(sequence: number, text = 'media', ssrc = 7): Buffer {
  return buildRtp({
    payloadType: 96,
    marker: true,
    sequence: sequence & 0xffff,
    timestamp: 1234,
    ssrc,
    payload: Buffer.from(text),
  });
}

const report = Buffer.concat([hex('80c90001 00000007'), hex('81ca0002 00000007 01017800')]);

describe('keys', () => {
  it('are derived as in RFC 3711 appendix B.3', () => {
    const key = createSecretKey(hex('E1F97A0D3E018BE0D64FA32C06DE4139'));
    const salt = hex('0EC675AD498AFEEBB6960B3AABE6');
    expect(deriveKey(key, salt, 0, 16)).toEqual(hex('C61E7A93744F39EE10734AFE3FF7A087'));
    expect(deriveKey(key, salt, 2, 14)).toEqual(hex('30CBBC08863D8C85D49DB34A9AE1'));
    expect(deriveKey(key, salt, 1, 20)).toEqual(hex('CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4'));
  });
});

describe('AEAD_AES_128_GCM', () => {
  const keys = {
    cipher: createSecretKey(hex('000102030405060708090a0b0c0d0e0f')),
    authentication: createSecretKey(Buffer.alloc(20)),
    salt: hex('517569642070726f2071756f'),
  };

  it('seals RTP as in RFC 7714 section 16.1.1', () => {
    const header = hex('8040f17b 8041f8d3 5501a0b2');
    const clear = Buffer.concat([header, Buffer.from('Gallia est omnis divisa in partes tres')]);
    const out = Buffer.concat([header, Buffer.alloc(clear.length - header.length + 16)]);
    packetCipher('aead-aes-128-gcm', keys, 'rtp').seal(clear.subarray(12), 12, 0x5501a0b2, 0xf17b, out);
    expect(out.subarray(0, 12)).toEqual(header);
    expect(out.subarray(12).toString('hex')).toBe(
      'f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce',
    );
  });
});

describe.each(profiles)('SRTP with %s', (profile) => {
  it('opens what was sealed, with the payload type of the viewer', () => {
    const receiver = new SrtpReceiver(master(profile));
    const plain = packet(5);
    const before = Buffer.from(plain);
    const sealed = new SrtpSender(master(profile)).rtp(plain, 111);
    expect(plain).toEqual(before);
    const opened = receiver.rtp(sealed);
    expect(opened?.subarray(12).toString()).toBe('media');
    expect(opened?.[1]).toBe(0x80 | 111);
    expect(sealed.includes('media')).toBe(false);
  });

  it('opens nothing that was changed, that came twice, or that has another key', () => {
    const sender = new SrtpSender(master(profile));
    const receiver = new SrtpReceiver(master(profile));
    const sealed = sender.rtp(packet(5), 96);
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(receiver.rtp(changed)).toBeUndefined();
    }
    expect(new SrtpReceiver(master(profile, 9)).rtp(sealed)).toBeUndefined();
    expect(receiver.rtp(sealed)).toBeDefined();
    expect(receiver.rtp(sealed)).toBeUndefined();
  });

  it('goes on over the wrap of sequence numbers, out of order too', () => {
    const sender = new SrtpSender(master(profile));
    const receiver = new SrtpReceiver(master(profile));
    const sealed = [65_534, 65_535, 65_536, 65_537, 65_538].map((n) => sender.rtp(packet(n, `${n}`), 96));
    const order = [0, 2, 1, 4, 3];
    const opened = order.map((i) =>
      receiver
        .rtp(sealed[i] as Buffer)
        ?.subarray(12)
        .toString(),
    );
    expect(opened).toEqual(order.map((i) => `${65_534 + i}`));
  });

  it('puts an extension behind the header, which is authentic as all of it, and the same when it is sent again', () => {
    const sender = new SrtpSender(master(profile));
    const extension = hex('bede0001 52000002');
    const as = { ssrc: 9, sequence: 77, extension };
    const plain = packet(5);
    const sealed = sender.rtp(plain, 111, as);
    expect(sender.rtp(plain, 111, as)).toEqual(sealed);
    const changed = Buffer.from(sealed);
    changed[19] = 0;
    const receiver = new SrtpReceiver(master(profile));
    expect(receiver.rtp(changed)).toBeUndefined();
    expect(receiver.rtp(sealed)).toEqual(
      Buffer.concat([hex('90ef004d 000004d2 00000009'), extension, Buffer.from('media')]),
    );
  });

  it('leaves the extension that a packet has', () => {
    const plain = Buffer.concat([hex('90600001 00000000 00000007 bede0001 10aa0000'), Buffer.from('media')]);
    const sealed = new SrtpSender(master(profile)).rtp(plain, 96, {
      ...{ ssrc: 7, sequence: 1 },
      extension: hex('bede0001 52000002'),
    });
    expect(new SrtpReceiver(master(profile)).rtp(sealed)).toEqual(plain);
  });

  it('sends a packet again as the same bytes, also from before a wrap', () => {
    const sender = new SrtpSender(master(profile));
    const first = sender.rtp(packet(65_535), 96);
    sender.rtp(packet(65_536), 96);
    expect(sender.rtp(packet(65_535), 96)).toEqual(first);
  });

  it('opens RTCP that was sealed, once, and nothing that was changed', () => {
    const receiver = new SrtpReceiver(master(profile));
    const sealed = new SrtpSender(master(profile)).rtcp(report);
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(receiver.rtcp(changed)).toBeUndefined();
    }
    expect(receiver.rtcp(sealed)).toEqual(report);
    expect(receiver.rtcp(sealed)).toBeUndefined();
  });

  it('gives each RTCP packet an index of its own', () => {
    const sender = new SrtpSender(master(profile));
    expect(sender.rtcp(report)).not.toEqual(sender.rtcp(report));
  });
});

describe('the index of a packet', () => {
  it.each([
    [10, 11, 11],
    [65_535, 0, 65_536],
    [65_536, 65_535, 65_535],
    [3, 65_535, 65_535],
    [2 ** 40, 5, 2 ** 40 + 5],
  ])('is after %i for sequence number %i: %i', (highest, sequence, index) => {
    expect(nearestIndex(highest, sequence)).toBe(index);
  });
});

describe('the header', () => {
  it('has contributing sources and an extension', () => {
    const long = hex('91600001 00000000 00000007 00000001 bede0001 aabbccdd 01');
    expect(rtpHeaderSize(long)).toBe(24);
    expect(rtpHeaderSize(long.subarray(0, 20))).toBeUndefined();
  });
});
