/** The title of an algorithm in the language of the page, else in English. */
export function titleOf(
  named: { readonly title: { readonly en: string; readonly [language: string]: string } },
  language: string,
): string {
  return named.title[language] ?? named.title.en;
}
