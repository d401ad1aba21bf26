/** What the page remembers on this computer; private windows may refuse, which is no fault. */
export function remembered(key: string): string | undefined {
  try {
    return localStorage.getItem(`sluice.${key}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`sluice.${key}`, value);
  } catch {
    // Not remembered, then.
  }
}
