import { remember, remembered } from './remembered.ts';

export type Theme = 'dark' | 'light';

/**
 * Dark unless light was chosen on this computer. What the system prefers is not asked: pictures are judged against a dark
 * surround, also on a computer that is light for its other work. Light is one click away, and is remembered.
 */
export function startTheme(): void {
  document.documentElement.dataset['theme'] = remembered('theme') === 'light' ? 'light' : 'dark';
}

export function currentTheme(): Theme {
  return document.documentElement.dataset['theme'] === 'light' ? 'light' : 'dark';
}

export function setTheme(theme: Theme): void {
  remember('theme', theme);
  document.documentElement.dataset['theme'] = theme;
}
