/**
 * The tracks of a stream as the API tells them; none where it tells nothing: what cannot be known is no reason for
 * anything.
 */
export async function streamTracks(
  origin: string,
  stream: string,
  signal: AbortSignal,
): Promise<readonly { readonly kind: string; readonly codec: string }[]> {
  const path = stream.split('/').map(encodeURIComponent).join('/');
  try {
    const response = await fetch(`${origin}/api/streams/${path}`, { signal });
    if (!response.ok) return [];
    return ((await response.json()) as { tracks: { kind: string; codec: string }[] }).tracks;
  } catch {
    return [];
  }
}
