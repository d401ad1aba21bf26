import { z } from 'zod';
import { deviceTrouble } from './device-address.ts';
import { fingerprint, oneOf, section, yesOrNo } from './fields.ts';
import { forwardKind } from './forward-schema.ts';
import { sourceKind } from './source.ts';

/**
 * Addresses of jobs. They stand as text, or as a map that says more about them; who wrote an address stands beside it
 * (`restricted`), as with `streams.<name>.forward`.
 */

/** A stream of this server, as jobs name it among addresses; the rest of the rule for names is the hub's. */
const STREAM = /^stream:([A-Za-z0-9._~-]+(?:\/[A-Za-z0-9._~-]+){0,7})$/i;

/** The name of a stream of this server that an address of a job leads to; undefined for all other addresses. */
export function streamOfAddress(address: string): string | undefined {
  return STREAM.exec(address)?.[1];
}

/** The path of a file that media are written to; undefined for addresses. */
export function pathOfOutput(address: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:/i.test(address) ? undefined : address;
}

const inputRule =
  'must be the path of a video file, a folder of them or a picture, an rtsp://, rtsps://, rtmp://, rtmps://, http://, https://, whep://, wheps://, srt:// or udp:// address, desktop, camera:0, microphone:0, stream:<name> of this server, or testsrc';

const outputRule =
  'must be an rtsp://, rtsps://, rtmp://, rtmps://, srt://, udp://, whip://, whips:// or https://…/whip address, the path of a file, or stream:<name> of this server';

const inputUrl = z
  .string({ error: inputRule })
  .min(1, { error: inputRule })
  .refine((value) => streamOfAddress(value) !== undefined || sourceKind(value) !== undefined, {
    error: inputRule,
  })
  .refine((value) => deviceTrouble(value) === undefined, {
    error: ({ input }) => deviceTrouble(String(input)),
  });

const outputUrl = z
  .string({ error: outputRule })
  .min(1, { error: outputRule })
  .refine(
    (value) =>
      [streamOfAddress(value), pathOfOutput(value), forwardKind(value)].some((one) => one !== undefined),
    { error: outputRule },
  );

/** What may be said of an address on either side. */
const certificate = {
  fingerprint: fingerprint().optional().meta({
    title: 'Fingerprint',
    description: 'SHA-256 of the certificate that a server behind TLS has to show, whoever signed it.',
  }),
  insecure: yesOrNo().default(false).meta({
    title: 'Any certificate',
    description: 'Takes every certificate of a server behind TLS; `fingerprint` is better.',
  }),
};

const restricted = yesOrNo().default(false).meta({
  title: 'Restricted',
  description:
    'Stands where the API wrote the address: it may lead nowhere but where `sources` and `outputs` let the API lead. Take the key out to trust it as if it were yours.',
});

/** What the API takes and shows of an input; the file says more. */
const spokenInput = {
  url: inputUrl.meta({ title: 'Address', description: 'As in the short form.' }),
  transport: oneOf('auto', 'tcp', 'udp').default('auto').meta({
    title: 'Transport',
    description: 'How the media of an `rtsp://` address come, as `streams.<name>.transport`.',
  }),
  ...certificate,
};

/** The same of an output. */
const spokenOutput = {
  url: outputUrl.meta({ title: 'Address', description: 'As in the short form.' }),
  ...certificate,
  existing: oneOf('refuse', 'overwrite', 'number').optional().meta({
    title: 'A file that is there',
    description:
      '`refuse`: the job fails. `overwrite`. `number`: it goes on in `film.2.mp4`, `film.3.mp4` …. Without this key `refuse` where the input is a file that ends, else `number`.',
  }),
};

const isNoUdpOverTls = ({ url, transport }: { readonly url: string; readonly transport: string }) =>
  transport !== 'udp' || !/^rtsps:/i.test(url);
const udpOverTls = {
  error: 'cannot be `udp` for an rtsps:// address, whose media come inside the encrypted connection',
  path: ['transport'],
};

const fileInput = section({ ...spokenInput, restricted }).refine(isNoUdpOverTls, udpOverTls);
const fileOutput = section({ ...spokenOutput, restricted });
const wishedInput = section(spokenInput).refine(isNoUdpOverTls, udpOverTls);
const wishedOutput = section(spokenOutput);

/** An address that media come from, and what goes with it. */
export type JobInputEntry = z.output<typeof fileInput>;
/** An address that media go to, and what goes with it. */
export type JobOutputEntry = z.output<typeof fileOutput>;

export const jobInputKeys: readonly string[] = Object.keys(fileInput.shape);
export const jobOutputKeys: readonly string[] = Object.keys(fileOutput.shape);

const inputWords =
  'Where the media come from: whatever can be the `source` of a stream, or `stream:<name>`, a stream of this server, which is read as it is. An address, or a map with `url`, `transport`, `fingerprint` and `insecure`.';
const outputWords =
  'Where the media go: whatever a stream can be forwarded to, the path of a file (by its ending: `.mp4`, `.mkv`, `.ts`, `.flv`, `.mp3` …), or `stream:<name>`, a stream of this server. An address, or a map with `url`, `fingerprint`, `insecure` and `existing`.';

const inputError = { error: `${inputRule}, or a map with \`url\`` };
const outputError = { error: `${outputRule}, or a map with \`url\`` };
const nothingMore = { insecure: false };

/** As the file says them. */
export const filed = {
  input: (title: string) =>
    z
      .union([inputUrl, fileInput], inputError)
      .transform(
        (value): JobInputEntry =>
          typeof value === 'string'
            ? { url: value, transport: 'auto', ...nothingMore, restricted: false }
            : value,
      )
      .meta({ title, description: inputWords }),
  output: (title: string) =>
    z
      .union([outputUrl, fileOutput], outputError)
      .transform(
        (value): JobOutputEntry =>
          typeof value === 'string' ? { url: value, ...nothingMore, restricted: false } : value,
      )
      .meta({ title, description: outputWords }),
};

/** As the API takes them: who may set an address cannot say whether it is to be trusted. */
export const wished = {
  input: (title: string) =>
    z.union([inputUrl, wishedInput], inputError).meta({ title, description: inputWords }),
  output: (title: string) =>
    z.union([outputUrl, wishedOutput], outputError).meta({ title, description: outputWords }),
};

/** As the API shows them. */
export const shown = {
  input: (title: string) => section(spokenInput).meta({ title, description: inputWords }),
  output: (title: string) => section(spokenOutput).meta({ title, description: outputWords }),
};
