/** What a client asks for: the name of a stream, and what stands behind the question mark. */
export interface StreamRequest {
  /** Not checked yet; empty where the client named none. */
  readonly name: string;
  readonly query: URLSearchParams;
}

const DEFAULT_INSTANCE = '_definst_';
const FILE_TYPE = /^(?:mp4|flv|mp3|id3):/;

/**
 * Joins the application of `connect` and the path of `publish` or `play`. Clients cut an address between the two in
 * different places, and put the query into either: `rtmp://host/yard/gate-1?token=…` is `yard` and `gate-1?token=…` for
 * OBS, `yard/gate-1?token=…` and nothing for others. What Adobe's servers want in them beside names is left out: the
 * instance that has no name (`app/_definst_`), and the type of a file (`mp4:name`).
 */
export function streamRequest(app: string, playPath: string): StreamRequest {
  const query = new URLSearchParams();
  const paths = [app, playPath].map((part) => {
    const mark = part.indexOf('?');
    if (mark < 0) return part;
    // Some write a second question mark where they append a key of their own.
    for (const [key, value] of new URLSearchParams(part.slice(mark + 1).replaceAll('?', '&'))) {
      query.set(key, value);
    }
    return part.slice(0, mark);
  });
  const [application = '', path = ''] = paths;
  const instance = application.split('/').filter((segment) => segment !== DEFAULT_INSTANCE);
  const name = [...instance, ...path.replace(FILE_TYPE, '').split('/')]
    .filter((segment) => segment !== '')
    .join('/');
  return { name, query };
}
