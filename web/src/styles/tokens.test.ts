import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8');

/** The colours of one palette by name. */
function palette(theme: string): Record<string, string> {
  const block = css.split(`[data-theme="${theme}"]`)[1]?.split('}')[0] ?? '';
  return Object.fromEntries(
    [...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value]),
  );
}

/** Relative luminance, WCAG 2.2. */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const share = Number.parseInt(colour.slice(i, i + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

describe.each(['dark', 'light'])('the %s palette', (theme) => {
  const colours = palette(theme);

  it.each([
    ['text', 'ground'],
    ['text', 'surface'],
    ['text', 'hover'],
    ['text', 'accent-ground'],
    ['muted', 'ground'],
    ['muted', 'surface'],
    ['muted', 'accent-ground'],
    ['on-accent', 'accent'],
    ['warning', 'raised'],
    ['bad', 'ground'],
  ])('shows %s on %s with a contrast of at least 4.5', (text, ground) => {
    expect(contrast(colours[text] ?? '', colours[ground] ?? '')).toBeGreaterThanOrEqual(4.5);
  });

  it.each(['good', 'warning', 'bad', 'accent', 'line-strong'])(
    'shows the mark %s with at least 3',
    (mark) => {
      expect(contrast(colours[mark] ?? '', colours['surface'] ?? '')).toBeGreaterThanOrEqual(3);
    },
  );

  it('has every colour that the other one has', () => {
    expect(Object.keys(colours)).toEqual(Object.keys(palette('dark')));
  });
});
