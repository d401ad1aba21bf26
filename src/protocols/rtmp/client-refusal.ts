import { type AmfObject, type AmfValue, isAmfObject } from '#util/amf-value.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';

/** What a server says in an answer or a status. */
export interface ServerWords {
  /** `NetStream.Publish.BadName` and the like; empty where there is none. */
  readonly code: string;
  /** As it came. */
  readonly description: string;
  /** For people: without control characters and passwords, and short. */
  readonly said: string;
  readonly isError: boolean;
}

/** Longest part of a server's words that is shown. */
const LONGEST = 200;
const ERROR_CODE =
  /\.(?:BadName|Failed|Denied|Rejected|StreamNotFound|InvalidApp|Closed|FileStructureInvalid)$/;

/** Finds the words in what follows name and transaction: most servers send an object, some a bare sentence. */
export function wordsOf(values: readonly AmfValue[]): ServerWords {
  const info: AmfObject = values.findLast(isAmfObject) ?? {};
  const sentence = values.findLast((value) => typeof value === 'string') ?? '';
  const text = (value: AmfValue) => (typeof value === 'string' ? value : '');
  const code = text(info['code']);
  const description = text(info['description']) || text(info['details']) || sentence;
  const clean = (description || code).replaceAll(/\p{Cc}+/gu, ' ').trim();
  const said = maskAddress(clean.replaceAll(/:\/\/[^\s/?#]*@/g, '://'));
  return {
    code,
    description,
    said: said.length > LONGEST ? `${said.slice(0, LONGEST)}…` : said,
    isError: info['level'] === 'error' || ERROR_CODE.test(code),
  };
}

/** The error for a server that does not let us play or publish. */
export function refusalOf(
  { code, description, said }: ServerWords,
  asked: { readonly url: string; readonly purpose: 'play' | 'publish'; readonly hasCredentials: boolean },
): NamedError {
  const { url, purpose, hasCredentials } = asked;
  const words = said === '' ? '' : ` It says: ${said}`;
  if (/auth|denied|password|credential|log ?in|token|forbidden|permission/i.test(`${code} ${description}`)) {
    const way = hasCredentials
      ? 'Check the user and the password.'
      : 'Put them in: rtmp://user:password@host/…, or what the server wants in the query.';
    const sentence = `${url} asks who ${purpose === 'play' ? 'reads' : 'publishes'}. ${way}${words}`;
    return new NamedError('RTMP_UNAUTHORIZED', sentence, 401);
  }
  if (code.endsWith('StreamNotFound')) {
    return new NamedError('RTMP_NOT_FOUND', `${url} does not exist.${words}`, 404);
  }
  return new NamedError(
    'RTMP_REFUSED',
    `${url} does not let us ${purpose}.${words || ' It says no more.'}`,
    502,
  );
}

/** The error for a server that closes the connection instead of answering. */
export function hungUp(url: string, asked: 'connect' | 'play' | 'publish'): NamedError {
  const sentence = `${url} closed the connection at "${asked}" without saying why. Check application and stream of the address, and whether the server wants a password or lets this machine in.`;
  return new NamedError('RTMP_REFUSED', sentence, 502);
}
