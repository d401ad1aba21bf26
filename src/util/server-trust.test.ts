import { describe, expect, it } from 'vitest';
import { distrust } from './server-trust.ts';

const SHOWN = Array(32).fill('AB').join(':');

describe('the certificate of a server', () => {
  it('is taken when the system trusts it, and refused with its fingerprint when not', () => {
    expect(distrust({}, SHOWN, undefined)).toBeUndefined();
    expect(distrust({}, SHOWN, 'DEPTH_ZERO_SELF_SIGNED_CERT')).toBe(
      `shows a certificate that is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT). If it is the right one, set fingerprint: "${SHOWN}" for the stream.`,
    );
  });

  it('is taken by its fingerprint, however that is written, and no other one is', () => {
    const fingerprint = SHOWN.replaceAll(':', '').toLowerCase();
    expect(distrust({ fingerprint }, SHOWN, 'DEPTH_ZERO_SELF_SIGNED_CERT')).toBeUndefined();
    const other = fingerprint.replace(/^ab/, 'ac');
    expect(distrust({ fingerprint: other }, SHOWN, undefined)).toContain(SHOWN);
    expect(distrust({ fingerprint }, undefined, undefined)).toContain('(none)');
  });

  it('is not looked at where everything is to be taken', () => {
    expect(distrust({ insecure: true }, undefined, 'CERT_HAS_EXPIRED')).toBeUndefined();
  });
});
