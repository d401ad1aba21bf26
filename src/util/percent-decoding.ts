/** Text of an address without its percent-encoding; as it is where that is broken, as in a password with a bare `%`. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
