import { z } from 'zod';
import { section } from './fields.ts';

const urlRule =
  'must be a stun:, stuns:, turn: or turns: address such as turn:turn.example.org:3478?transport=udp';
const urlsRule = 'must be a list of stun:, stuns:, turn: or turns: addresses';
// They travel in a header of HTTP.
const secretRule = 'must be text without control characters and other than Latin letters';

const secret = () =>
  z
    .string({ error: secretRule })
    .regex(/^[\x20-\x7e]+$/, { error: secretRule })
    .optional();

/** One entry of `webrtc.iceServers`. */
export const iceServerSchema = section({
  urls: z
    .array(
      z
        .string({ error: urlRule })
        .regex(/^(?:stuns?|turns?):[\w.:[\]-]+(?:\?transport=(?:udp|tcp))?$/i, { error: urlRule }),
      {
        error: urlsRule,
      },
    )
    .min(1, { error: urlsRule })
    .meta({ title: 'Addresses', description: 'Addresses of one server (RFC 7064, RFC 7065).' }),
  username: secret().meta({ title: 'User', description: 'Of a TURN server.' }),
  credential: secret().meta({
    title: 'Password',
    description: 'Of a TURN server; told to who may publish or read.',
  }),
}).refine((server) => (server.username === undefined) === (server.credential === undefined), {
  error: 'must have both `username` and `credential`, or neither',
});

/** The keys of an ICE server. */
export const iceServerKeys: readonly string[] = Object.keys(iceServerSchema.shape);
