import { z } from 'zod';
import { namePattern } from '#util/name-pattern.ts';
import { looksHashed, parsePasswordHash } from '#util/password-hash.ts';
import { oneOf, section, wholeNumber } from './fields.ts';

/** Who may do what: the part of the configuration that `src/auth/` works by. */

const nameRule = 'must be a name of 1 to 64 letters, digits and . _ @ -';
const passwordRule = 'must be a password, or the hash that "sluice hash" prints';
const streamsRule =
  'must be the name of a stream, prefix/*, * for all, or ~ and a regular expression that is valid';
const urlRule = 'must be an http:// or https:// address';

const name = () => z.string({ error: nameRule }).regex(/^[\w.@-]{1,64}$/, { error: nameRule });

const permissions = z
  .array(
    section({
      actions: z
        .array(oneOf('publish', 'read', 'manage'), { error: 'must be a list of publish, read, manage' })
        .meta({
          title: 'Actions',
          description:
            '`publish`; `read`, which is watching a stream and its results; `manage`, which is starting and ending algorithms on it, making links to it and configuring it over the API, and with `streams: "*"` the workers and the metrics too.',
        }),
      streams: z.string({ error: streamsRule }).refine(isPattern, { error: streamsRule }).default('*').meta({
        title: 'Streams',
        description:
          'With which streams: a name, `yard/*` for all below `yard/`, `*` for all, or `~` and a regular expression that fits the whole name.',
      }),
    }),
    { error: 'must be a list of permissions' },
  )
  .default([])
  .meta({ title: 'Permissions', description: 'Whatever no permission names is refused.' });

const user = section({
  name: name().meta({
    title: 'Name',
    description: '`any` is everybody, also who says nothing about themselves, and has no password.',
  }),
  password: z
    .string({ error: passwordRule })
    .min(1, { error: passwordRule })
    .refine((value) => !looksHashed(value) || parsePasswordHash(value) !== undefined, {
      error: 'looks like a hash and is none of argon2id that can be taken; "sluice hash" prints one',
    })
    .optional()
    .meta({
      title: 'Password',
      description:
        'The hash that `sluice hash` prints; or plain text, which RTSP needs for digests, and which whoever reads the file can read.',
    }),
  permissions,
}).refine(({ name, password }) => (name === 'any') === (password === undefined), {
  error: 'must have a password, unless it is the user any, who has none',
});

const token = section({
  name: name().meta({ title: 'Name', description: 'Stands in the log for the token.' }),
  token: z
    .string({ error: 'must be a text' })
    .regex(/^[A-Za-z0-9._~+/=-]{16,512}$/, {
      error: 'must be 16 to 512 letters, digits and . _ ~ + / = - ("openssl rand -hex 24" prints one)',
    })
    .meta({ title: 'Token', description: 'A secret: `Authorization: Bearer <token>`, or `?token=<token>`.' }),
  permissions,
});

const namesDiffer = { error: 'must not have two entries of one name' };

/** The keys that stand beside the others at the top of the file. */
export const accessShape = {
  users: z
    .array(user, { error: 'must be a list of users' })
    .refine((list) => new Set(list.map((one) => one.name)).size === list.length, namesDiffer)
    .default([])
    .meta({
      title: 'Users',
      description:
        'Who may do what. Without users, tokens, `jwt` and `authHook` everybody on this machine may do everything.',
    }),
  tokens: z
    .array(token, { error: 'must be a list of tokens' })
    .refine((list) => new Set(list.map((one) => one.name)).size === list.length, namesDiffer)
    .default([])
    .meta({ title: 'Tokens', description: 'Secrets of programs, with permissions as users have them.' }),
  jwt: section({
    jwks: z.string({ error: 'must be an address or a path' }).min(1).meta({
      title: 'Keys',
      description:
        'Address or file of the public keys (JWKS) of who signs the tokens; a path is relative to the configuration file.',
    }),
    issuer: z.string().optional().meta({
      title: 'Issuer',
      description: 'What `iss` of a token must be; without it any.',
    }),
    audience: z.string().optional().meta({
      title: 'Audience',
      description: 'What `aud` of a token must have; without it any.',
    }),
    permissionsClaim: z.string().min(1).default('sluice').meta({
      title: 'Claim with the permissions',
      description: 'A list as `permissions` of a user, without regular expressions.',
    }),
  })
    .optional()
    .meta({ title: 'JSON Web Tokens', description: 'Tokens that somebody else signs.' }),
  authHook: section({
    url: z
      .string({ error: urlRule })
      .regex(/^https?:\/\/./i, { error: urlRule })
      .refine((value) => URL.canParse(value), { error: urlRule })
      .meta({
        title: 'Service that decides',
        description:
          'Gets a POST of `{action, stream, door, remote, user, password, token}` for passwords of unknown users and unknown tokens: 2xx is yes, 401 and 403 are no.',
      }),
    timeoutSeconds: wholeNumber(1, 30).default(5).meta({
      title: 'Patience, seconds',
      description: 'A service that has not answered by then lets nobody in.',
    }),
  })
    .optional()
    .meta({ title: 'Hook', description: 'A service of yours that decides who may do what.' }),
};

/** The keys below a path of this part; undefined for a path of another one. */
export function accessKeys(path: readonly PropertyKey[]): string[] | undefined {
  if (path.includes('permissions')) return ['actions', 'streams'];
  switch (path[0]) {
    case 'users':
      return Object.keys(user.shape);
    case 'tokens':
      return Object.keys(token.shape);
    case 'jwt':
      return Object.keys(accessShape.jwt.unwrap().shape);
    case 'authHook':
      return Object.keys(accessShape.authHook.unwrap().shape);
    default:
      return undefined;
  }
}

function isPattern(pattern: string): boolean {
  try {
    namePattern(pattern);
    return pattern !== '';
  } catch {
    return false;
  }
}
