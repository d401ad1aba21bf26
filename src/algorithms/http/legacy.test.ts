import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Frame } from '../contract.ts';
import { findingsOf, LegacyService } from './legacy.ts';

const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0xfb, 0xef, 0xbe, 1, 2, 3, 0xff, 0xd9]);
const frame: Frame = {
  ...{ width: 1, height: 1, sourceWidth: 1, sourceHeight: 1, pts: 0, ntp: 0, format: 'jpeg' },
  data: jpeg,
};

/** A service on this machine, and what looks at pictures by it. */
async function service(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
  { timeoutMs = 5000, user = '' } = {},
) {
  const server = createServer((request, response) => {
    request.toArray().then(
      (parts) => answer(request, response, Buffer.concat(parts).toString()),
      () => {},
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://${user}127.0.0.1:${port}/detect?token=hunter2`;
  return new LegacyService({ kind: 'http', service: 'legacy', url, timeoutMs });
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('a service of the old kind', () => {
  it('is posted a form with the picture in base64, and what it answers is the result', async () => {
    const seen: { form?: URLSearchParams; type?: string | undefined; authorization?: string | undefined } =
      {};
    await using legacy = await service(
      (request, response, body) => {
        seen.form = new URLSearchParams(body);
        seen.type = request.headers['content-type'];
        seen.authorization = request.headers.authorization;
        response.end(json({ picture: jpeg.toString('base64'), state: 2, type: 'helmet' }));
      },
      { user: 'anna:p%40ss@' },
    );
    const found = await legacy.detect(frame);
    expect([...seen.form!.keys()]).toEqual(['picture']);
    expect(Buffer.from(seen.form!.get('picture')!, 'base64')).toEqual(jpeg);
    expect(seen.type).toBe('application/x-www-form-urlencoded');
    expect(seen.authorization).toBe(`Basic ${Buffer.from('anna:p@ss').toString('base64')}`);
    expect(found).toEqual({ objects: [], state: { state: 2, type: 'helmet' }, picture: jpeg });
  });

  it('may have a password with a bare percent sign in its address', async () => {
    let authorization: string | undefined;
    await using legacy = await service(
      (request, response) => {
        ({ authorization } = request.headers);
        response.end(json({}));
      },
      { user: 'anna:50%off@' },
    );
    await legacy.detect(frame);
    expect(authorization).toBe(`Basic ${Buffer.from('anna:50%off').toString('base64')}`);
  });

  it('keeps its connections', async () => {
    const sockets = new Set<unknown>();
    await using legacy = await service((request, response) => {
      sockets.add(request.socket);
      response.end('{}');
    });
    for (let n = 0; n < 5; n++) await legacy.detect(frame);
    expect(sockets.size).toBeLessThan(5);
  });

  it.each([
    ['status 500', (response: ServerResponse) => response.writeHead(500).end('{}'), 'answered 500.'],
    [
      'a redirect',
      (response: ServerResponse) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      'answered 302.',
    ],
    [
      'an answer without an end',
      (response: ServerResponse) => response.writeHead(200).end(Buffer.alloc(33 << 20)),
      'answered with more than 32 MiB.',
    ],
    ['no answer', () => {}, 'did not answer within 0.3 s'],
    ['an end of the connection', (response: ServerResponse) => response.destroy(), 'cannot be reached'],
  ])('that gives %s fails with a sentence that shows no secret', async (_, answer, sentence) => {
    await using legacy = await service((_request, response) => void answer(response), {
      timeoutMs: sentence.includes('0.3 s') ? 300 : 20_000,
    });
    const failure = await legacy.detect(frame).then(String, String);
    expect(failure).toContain(sentence);
    expect(failure).toContain('The service at http://127.0.0.1:');
    expect(failure).not.toContain('hunter2');
  });

  it('is let go of while it answers', async () => {
    const asked = Promise.withResolvers<void>();
    const legacy = await service(() => asked.resolve());
    const look = legacy.detect(frame);
    await asked.promise;
    await legacy[Symbol.asyncDispose]();
    await expect(look).rejects.toThrow();
  });
});

describe('an answer', () => {
  it('may leave everything out, and may have what a page needs in front of the picture', () => {
    expect(findingsOf(json({}))).toEqual({ objects: [] });
    expect(findingsOf(json({ picture: '', state: null }))).toEqual({ objects: [] });
    expect(findingsOf(json({ type: 'x', more: 1 }))).toEqual({ objects: [], state: { type: 'x' } });
    const picture = `data:image/jpeg;base64,${jpeg.toString('base64')}`;
    expect(findingsOf(json({ picture }))).toEqual({ objects: [], picture: jpeg });
  });

  it('has a picture without what stands behind its end', () => {
    const padded = Buffer.concat([jpeg, Buffer.from('\n')]).toString('base64');
    expect(findingsOf(json({ picture: padded })).picture).toEqual(jpeg);
  });

  it.each([
    ['no JSON', '<html>', 'no JSON'],
    ['a list', '[]', 'something other than'],
    ['a text', '"text"', 'something other than'],
    ['a picture that is a number', '{"picture":7}', 'no text'],
    ['a picture that is none', '{"picture":"aGVsbG8="}', 'no JPEG'],
    ['a state without an end', JSON.stringify({ state: 'x'.repeat(20_000) }), 'more than 16384 characters'],
  ])('that is %s is refused with a sentence', (_, text, sentence) => {
    expect(() => findingsOf(Buffer.from(text))).toThrow(sentence);
  });
});
