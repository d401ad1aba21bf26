import { describe, expect, it } from 'vitest';
import en from './en.json' with { type: 'json' };
import zhCN from './zh-CN.json' with { type: 'json' };

/** Every text by its full key. */
function flat(value: object, prefix = ''): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
      typeof inner === 'string'
        ? [[prefix + key, inner]]
        : Object.entries(flat(inner as object, `${prefix}${key}.`)),
    ),
  );
}

const english = flat(en);
const chinese = flat(zhCN);

function placeholders(text: string): string[] {
  return [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? '').sort();
}

describe('the texts of the page', () => {
  it('have the same keys in both languages, in the same order', () => {
    expect(Object.keys(chinese)).toEqual(Object.keys(english));
  });

  it('are nowhere empty, and use the same values in both languages', () => {
    for (const [key, text] of Object.entries(english)) {
      expect(text, key).not.toBe('');
      expect(chinese[key], key).not.toBe('');
      expect(placeholders(chinese[key] ?? ''), key).toEqual(placeholders(text));
    }
  });
});
