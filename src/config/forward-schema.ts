import { z } from 'zod';
import { fingerprint, section, yesOrNo } from './fields.ts';

/** What a stream can be forwarded to, by the scheme of the address. */
const SCHEMES = {
  rtsp: 'rtsp',
  rtsps: 'rtsp',
  rtmp: 'rtmp',
  rtmps: 'rtmp',
  srt: 'mpegts',
  udp: 'mpegts',
  whip: 'whip',
  whips: 'whip',
  http: 'whip',
  https: 'whip',
} as const;

/** How a stream is sent: `mpegts` is FFmpeg's, in a worker; `stream` is another name of this server. */
export type ForwardKind = (typeof SCHEMES)[keyof typeof SCHEMES] | 'stream';

const SCHEME_LIST = Object.keys(SCHEMES)
  .filter((scheme) => !scheme.startsWith('http'))
  .map((scheme) => `${scheme}://`)
  .join(', ');

/** Undefined for kinds of addresses that nothing can be forwarded to. */
export function forwardKind(url: string): ForwardKind | undefined {
  if (/^stream:[^/]/i.test(url)) return 'stream';
  const scheme = schemeOf(url);
  if (scheme === undefined || !Object.hasOwn(SCHEMES, scheme)) return undefined;
  // Over HTTP there is more than WHIP, which names itself at the end of the path.
  if (scheme.startsWith('http') && !/^[^?#]*\/whip\/?(?:[?#]|$)/i.test(url)) return undefined;
  return SCHEMES[scheme as keyof typeof SCHEMES];
}

function schemeOf(url: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):\/\/[^/?#]/i.exec(url)?.[1]?.toLowerCase();
}

const addressRule = `must be an ${SCHEME_LIST} or https://…/whip address, or stream:name of this server`;

const address = z.string({ error: addressRule }).superRefine((value, context) => {
  if (forwardKind(value) !== undefined) return;
  const scheme = schemeOf(value);
  // Of what was written only the scheme is said: the rest may have a password in it.
  const what = scheme === undefined ? '' : `: nothing can be forwarded to ${scheme}:// here`;
  context.addIssue({ code: 'custom', message: `${addressRule}${what}` });
});

/** What the API takes and shows of an address; the file says more. */
const spoken = {
  url: address.meta({
    title: 'Address',
    description: 'As in the short form.',
  }),
  fingerprint: fingerprint().optional().meta({
    title: 'Fingerprint',
    description: 'SHA-256 of the certificate that a server behind TLS has to show, whoever signed it.',
  }),
  insecure: yesOrNo().default(false).meta({
    title: 'Any certificate',
    description: 'Takes every certificate of a server behind TLS; `fingerprint` is better.',
  }),
};

/** An address as the API shows it. */
export const shownForward = section(spoken);

const forwardShape = section({
  ...spoken,
  restricted: yesOrNo().default(false).meta({
    title: 'Restricted',
    description:
      'Stands where the API wrote the address: it may lead nowhere but where `sources` lets the API lead. Take the key out to trust it as if it were yours.',
  }),
});

/** The keys of an entry. */
export const forwardKeys: readonly string[] = Object.keys(forwardShape.shape);

/** Addresses of one stream that the API takes: each is a connection, and a name to look up. */
const MOST = 64;
const itemRule = { error: `${addressRule}, or a map with \`url\`` };
const listRule = { error: 'must be a list of addresses' };
const described = {
  title: 'Forward',
  description:
    'Addresses at which the stream is published too, all the time that it is there: `rtsp://user:password@host:554/path`, `rtsps://…`, `rtmp://host:1935/app/key`, `rtmps://…`, `srt://host:9000?streamid=…` (MPEG-TS), `udp://host:1234` (MPEG-TS), or of WHIP `whips://token@host/path` (`whip://` without TLS) and `https://token@host/…/whip`; or `stream:name`, another name on this server. Each an address, or a map with `url`, `fingerprint` and `insecure`. A source on demand stays open for it.',
};

/** `streams.<name>.forward`. */
export const forwardSchema = z
  .array(
    z
      .union([address, forwardShape], itemRule)
      .transform((value) =>
        typeof value === 'string' ? { url: value, insecure: false, restricted: false } : value,
      ),
    listRule,
  )
  .refine((list) => new Set(list.map(({ url }) => url)).size === list.length, {
    error: 'must not have the same address twice',
  })
  .default([])
  .meta(described);

/** The same as the API takes it: addresses may look the same while `***` stands in them. */
export const forwardWish = z
  .array(
    z
      .union([address, shownForward], itemRule)
      .transform((value) => (typeof value === 'string' ? { url: value, insecure: false } : value)),
    listRule,
  )
  .max(MOST, { error: `must have ${MOST} addresses at most` })
  .default([])
  .meta(described);
