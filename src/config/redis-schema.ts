import { z } from 'zod';
import { section, yesOrNo } from './fields.ts';
import { channelTemplate } from './frames-schema.ts';

const urlRule =
  'must be an address such as redis://user:password@host:6379/0 or rediss://host:6379, or a list of those of some nodes of a cluster, all of one scheme and without a number behind';

function isAddress(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    (url.protocol === 'redis:' || url.protocol === 'rediss:') &&
    url.hostname !== '' &&
    /^(\/\d{0,5})?$/.test(url.pathname) &&
    url.search === '' &&
    url.hash === '' &&
    isEncoded(url.username) &&
    isEncoded(url.password)
  );
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

const address = z.string({ error: urlRule }).refine(isAddress, { error: urlRule });
const nodes = z
  .array(address, { error: urlRule })
  .refine((list) => new Set(list.map((one) => URL.parse(one)?.protocol)).size <= 1, { error: urlRule })
  .refine((list) => list.length < 2 || list.every((one) => /^\/?$/.test(URL.parse(one)?.pathname ?? '')), {
    error: urlRule,
  });

/** Where frames and results are published for other programs. */
export const redisSchema = section({
  url: z
    .union([address, nodes], { error: urlRule })
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .default([])
    .meta({
      title: 'Address of Redis',
      description:
        '`redis://user:password@host:6379/0`; `rediss://` is over TLS. In user and password, `/`, `@` and `%` are written `%2F`, `%40`, `%25`. A list of some nodes is a cluster. Empty: there is none.',
    }),
  channel: channelTemplate().default('{stream}/{algorithm}').meta({
    title: 'Names of channels',
    description:
      'Channel of the frames of a run; `{stream}` and `{algorithm}` stand for those of the run, as in `rtsp://10.0.0.5:8554/{stream}/{algorithm}`. Its results are on the channel of the same name with `:results` behind.',
  }),
  sharded: yesOrNo().default(false).meta({
    title: 'Sharded channels',
    description:
      'In a cluster: `SPUBLISH`, which reaches those who `SSUBSCRIBE` and not those who `SUBSCRIBE`, and does not send each frame to every node.',
  }),
  insecure: yesOrNo().default(false).meta({
    title: 'Any certificate',
    description:
      'Takes every certificate of a `rediss://` address. An authority of your own is better: name its file in the environment variable NODE_EXTRA_CA_CERTS.',
  }),
})
  .prefault({})
  .meta({
    title: 'Redis',
    description:
      'Where frames and results of algorithms are published for other programs, see `docs/frames.md`.',
  });
