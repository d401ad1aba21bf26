/**
 * Patterns of names. `*` is every name, the empty one included; `yard/*`, or `yard/**`, what stands below `yard/`, at any
 * depth, and not `yard`; `~^cam[0-9]+$` a regular expression that must fit the whole name; anything else is one name.
 */

/**
 * A test for names.
 * @throws SyntaxError for what is no regular expression
 */
export function namePattern(pattern: string): (name: string) => boolean {
  const parts = nameParts(pattern);
  return (name) => parts(name) !== undefined;
}

/**
 * What a name that fits has in the places that the pattern leaves open: the groups of a regular expression (an empty
 * text for one that took no part), or what `*` stands for; undefined for a name that does not fit.
 * @throws SyntaxError for what is no regular expression
 */
export function nameParts(pattern: string): (name: string) => readonly string[] | undefined {
  if (pattern === '*') return (name) => [name];
  if (pattern.startsWith('~')) {
    const expression = new RegExp(`^(?:${pattern.slice(1)})$`, 'u');
    return (name) => {
      const found = name === '' ? null : expression.exec(name);
      // A group that took no part is undefined, whatever its type says.
      return found?.slice(1).map((part: string | undefined) => part ?? '');
    };
  }
  const prefix = /^(.*\/)\*{1,2}$/.exec(pattern)?.[1];
  if (prefix !== undefined) {
    return (name) =>
      name.length > prefix.length && name.startsWith(prefix) ? [name.slice(prefix.length)] : undefined;
  }
  return (name) => (name !== '' && name === pattern ? [] : undefined);
}

/** Whether a text stands for more than one name. */
export function isNamePattern(text: string): boolean {
  return text === '*' || text.startsWith('~') || /\/\*{1,2}$/.test(text);
}
