import { remember, remembered } from './remembered.ts';

export type Theme = 'dark' | 'light';

/** Dark unless light was chosen on this computer. */
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
