/** Matches names of streams: `*` stands for anything within a segment, `**` for anything, slashes included. */
export function streamPattern(pattern: string): (stream: string) => boolean {
  const source = pattern
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? '.*' : part === '*' ? '[^/]*' : RegExp.escape(part)))
    .join('');
  const expression = new RegExp(`^${source}$`);
  return (stream) => expression.test(stream);
}
