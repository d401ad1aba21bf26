/**
 * A test for names. `*` is every name, the empty one included; `yard/*` what stands below `yard/`, at any
 * depth, and not `yard`; `~^cam[0-9]+$` a regular expression that must fit the whole name; anything else is one name.
 * @throws SyntaxError for what is no regular expression
 */
export function namePattern(pattern: string): (name: string) => boolean {
  if (pattern === '*') return () => true;
  if (pattern.startsWith('~')) {
    const expression = new RegExp(`^(?:${pattern.slice(1)})$`, 'u');
    return (name) => name !== '' && expression.test(name);
  }
  if (pattern.endsWith('/*')) {
    const prefix = pattern.slice(0, -1);
    return (name) => name.length > prefix.length && name.startsWith(prefix);
  }
  return (name) => name !== '' && name === pattern;
}
