/** Splits NAL units that stand behind their lengths (ISO/IEC 14496-15); a broken rest is left out. */
export function splitLengthPrefixed(data: Buffer, lengthSize: number): Buffer[] {
  const nals: Buffer[] = [];
  for (let at = 0; at + lengthSize <= data.length; ) {
    const length = data.readUIntBE(at, lengthSize);
    at += lengthSize;
    if (at + length > data.length) break;
    if (length > 0) nals.push(data.subarray(at, at + length));
    at += length;
  }
  return nals;
}

/** The decoder configuration of a container: how long the lengths of NAL units are, and the parameter sets. */
export interface ConfigurationRecord {
  readonly lengthSize: number;
  readonly parameterSets: readonly Buffer[];
}

/** AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1). */
export function readAvcc(record: Buffer): ConfigurationRecord {
  const parameterSets: Buffer[] = [];
  let at = readSets(record, 6, (record[5] ?? 0) & 0x1f, parameterSets);
  if (at < record.length) at = readSets(record, at + 1, record[at] ?? 0, parameterSets);
  return { lengthSize: ((record[4] ?? 0) & 3) + 1, parameterSets };
}

/** HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1). */
export function readHvcc(record: Buffer): ConfigurationRecord {
  const parameterSets: Buffer[] = [];
  let at = 23;
  for (let array = record[22] ?? 0; array > 0 && at + 3 <= record.length; array--) {
    at = readSets(record, at + 3, record.readUInt16BE(at + 1), parameterSets);
  }
  return { lengthSize: ((record[21] ?? 0) & 3) + 1, parameterSets };
}

function readSets(record: Buffer, from: number, count: number, into: Buffer[]): number {
  let at = from;
  for (; count > 0 && at + 2 <= record.length; count--) {
    const length = record.readUInt16BE(at);
    into.push(record.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return at;
}
