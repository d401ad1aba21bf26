import { maskAddress } from '#util/mask-address.ts';
import { messageOf } from '#util/named-error.ts';
import { percentDecoded } from '#util/percent-decoding.ts';
import type { Algorithm, Findings, Frame, HttpAdapter } from '../contract.ts';
import { readBounded } from './bounded-body.ts';

/** An answer with a picture of 20 megapixels fits; more is no picture. */
const MAX_ANSWER_BYTES = 32 << 20;
/** `state` and `type` go to everybody who watches: so long they may be, as JSON. */
const MAX_STATE_CHARACTERS = 16_384;
/** Where the manifest says nothing. */
export const DEFAULT_TIMEOUT_MS = 10_000;
/** Start and end of every JPEG (ITU-T T.81 annex B.1.1.3). */
const START_OF_IMAGE = Buffer.from([0xff, 0xd8, 0xff]);
const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);

/**
 * An HTTP service of the old kind: it is posted a form with one field, `picture`, a JPEG in base64, and answers with JSON,
 * `{ "picture": …, "state": …, "type": … }`, each of which may be missing. The picture, a JPEG in base64, is the one that
 * was sent with something drawn into it; `state` and `type` say anything about it.
 *
 * The address comes from a manifest on this machine and is as trusted as the configuration; redirects are not followed, so
 * pictures go nowhere else.
 */
export class LegacyService implements Algorithm {
  readonly isConcurrent = true;
  readonly #url: string;
  readonly #shown: string;
  readonly #authorization: string | undefined;
  readonly #timeoutMs: number;
  readonly #stop = new AbortController();

  constructor({ url, timeoutMs = DEFAULT_TIMEOUT_MS }: HttpAdapter) {
    const address = new URL(url);
    const { username, password } = address;
    if (username !== '' || password !== '') {
      const credentials = `${percentDecoded(username)}:${percentDecoded(password)}`;
      this.#authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
    }
    // `fetch` takes no credentials in an address.
    address.username = '';
    address.password = '';
    this.#url = address.href;
    this.#shown = maskAddress(address.href);
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @param frame a JPEG
   * @throws an Error with a sentence for everything that goes wrong
   */
  async detect({ data }: Frame): Promise<Findings> {
    const late = AbortSignal.timeout(this.#timeoutMs);
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          accept: 'application/json',
          ...(this.#authorization === undefined ? {} : { authorization: this.#authorization }),
        },
        body: `picture=${formBase64(data)}`,
        redirect: 'manual',
        signal: AbortSignal.any([this.#stop.signal, late]),
      });
      const body = await readBounded(response, MAX_ANSWER_BYTES);
      if (!response.ok) throw new Answer(`answered ${response.status}.`);
      if (!body) throw new Answer(`answered with more than ${MAX_ANSWER_BYTES >> 20} MiB.`);
      return findingsOf(body);
    } catch (error) {
      if (error instanceof Answer) throw new Error(`The service at ${this.#shown} ${error.message}`);
      if (late.aborted) {
        throw new Error(
          `The service at ${this.#shown} did not answer within ${this.#timeoutMs / 1000} s ("adapter.timeoutMs" in the manifest).`,
        );
      }
      const cause = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error);
      throw new Error(`The service at ${this.#shown} cannot be reached: ${cause}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
  }
}

/** What is wrong with an answer, to follow the name of the service. */
class Answer extends Error {}

/** Base64 as it stands in a form: the three signs of it that mean something there are written otherwise. */
function formBase64(data: Uint8Array): string {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
  return text.replaceAll('+', '%2B').replaceAll('/', '%2F').replaceAll('=', '%3D');
}

/**
 * What is in an answer.
 * @throws for what is no answer of such a service
 */
export function findingsOf(body: Buffer): Findings {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString());
  } catch {
    throw new Answer('answered with something that is no JSON.');
  }
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
    throw new Answer('answered with something other than { "picture": …, "state": …, "type": … }.');
  }
  const { picture, state, type } = answer as Record<string, unknown>;
  const said = {
    ...(state === undefined || state === null ? {} : { state }),
    ...(type === undefined || type === null ? {} : { type }),
  };
  if (JSON.stringify(said).length > MAX_STATE_CHARACTERS) {
    throw new Answer(`answered with a "state" and a "type" of more than ${MAX_STATE_CHARACTERS} characters.`);
  }
  const jpeg = picture === undefined || picture === null || picture === '' ? undefined : jpegOf(picture);
  return {
    objects: [],
    ...(Object.keys(said).length > 0 ? { state: said } : {}),
    ...(jpeg ? { picture: jpeg } : {}),
  };
}

function jpegOf(picture: unknown): Buffer {
  if (typeof picture !== 'string') throw new Answer('answered with a "picture" that is no text.');
  // Some services put what a page needs in front of it.
  const bytes = Buffer.from(picture.replace(/^data:[^,]{0,100},/, ''), 'base64');
  const end = bytes.lastIndexOf(END_OF_IMAGE);
  if (!bytes.subarray(0, 3).equals(START_OF_IMAGE) || end < 0) {
    throw new Answer('answered with a "picture" that is no JPEG in base64.');
  }
  return bytes.subarray(0, end + END_OF_IMAGE.length);
}
