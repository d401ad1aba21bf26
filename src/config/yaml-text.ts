import type { Document } from 'yaml';

/** How a YAML file that people write is written anew so that they recognise it. */

/** A text without what systems put around lines, and what puts it back. */
export function undress(text: string): { plain: string; dress: (plain: string) => string } {
  const bom = text.startsWith('\uFEFF') ? '\uFEFF' : '';
  const crlf = text.includes('\r\n');
  return {
    plain: text.slice(bom.length).replaceAll('\r\n', '\n'),
    dress: (plain) => bom + (crlf ? plain.replaceAll('\n', '\r\n') : plain),
  };
}

/** The document as text, as far as the package can write as `text` is written; undefined where it cannot be written. */
export function written(document: Document, text: string): string | undefined {
  try {
    return document.toString({ lineWidth: 0, indent: indentOf(text), indentSeq: !hasFlushLists(text) });
  } catch {
    // An alias whose anchor went with the entry.
    return undefined;
  }
}

/**
 * The text with the lines that an edit changed, and no others: the package writes a whole document anew, and columns of
 * comments, empty lines and breaks within brackets are not kept by it. The same place is found in the text by counting
 * what is no white space.
 * @param untouched the text as the package writes it
 * @param edited the same with the edit
 * @returns undefined where the package changed more than white space, or the lines cannot be told apart
 */
export function spliced(text: string, untouched: string, edited: string): string | undefined {
  if (bare(text) !== bare(untouched)) return undefined;
  const [old, now] = [untouched.split('\n'), edited.split('\n')];
  const most = Math.min(old.length, now.length);
  let head = 0;
  while (head < most && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < most - head && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail++;
  const start = lineAfter(text, bare(old.slice(0, head).join('')).length);
  const end = lineOf(text, bare(old.slice(0, old.length - tail).join('')).length);
  if (start === undefined || end === undefined || start > end) return undefined;
  const region = text.slice(start, end);
  // Empty lines around what is replaced stay where they are.
  const front = /^(?:[ \t]*\n)*/.exec(region)?.[0] ?? '';
  const back = /(?:(?<=^|\n)[ \t]*\n)*$/.exec(region.slice(front.length))?.[0] ?? '';
  const lines = now
    .slice(head, now.length - tail)
    .filter((line, at, all) => line.trim() !== '' || (at > 0 && at < all.length - 1));
  const between = lines.length > 0 ? `${lines.join('\n')}\n` : '';
  // Behind a last line without an end, one begins.
  const joint = start > 0 && text[start - 1] !== '\n' && between !== '' ? '\n' : '';
  // What is new stands with what is before it.
  const [above, below] = head === old.length - tail ? ['', region] : [front, back];
  return text.slice(0, start) + joint + above + between + below + text.slice(end);
}

function bare(text: string): string {
  return text.replace(/\s+/g, '');
}

/** Where so many characters that are no white space are over. */
function offsetAfter(text: string, count: number): number {
  let left = count;
  let at = 0;
  for (; left > 0 && at < text.length; at++) if (!/\s/.test(text[at] ?? '')) left--;
  return at;
}

/** The beginning of the line behind so many characters; undefined where something follows them on theirs. */
function lineAfter(text: string, count: number): number | undefined {
  if (count === 0) return 0;
  const at = offsetAfter(text, count);
  const end = text.indexOf('\n', at);
  if (text.slice(at, end < 0 ? undefined : end).trim() !== '') return undefined;
  return end < 0 ? text.length : end + 1;
}

/** The beginning of the line on which the first character behind so many stands; undefined where it is not the first there. */
function lineOf(text: string, count: number): number | undefined {
  const at = offsetAfter(text, count);
  const next = text.slice(at).search(/\S/);
  if (next < 0) return text.length;
  const begin = text.lastIndexOf('\n', at + next) + 1;
  return begin < at && text.slice(begin, at).trim() !== '' ? undefined : begin;
}

/** By how many columns the first map in a map stands further to the right. */
function indentOf(text: string): number {
  const nested = /^( *)[^\s#][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( +)[^\s#-]/m.exec(text);
  const columns = (nested?.[2]?.length ?? 2) - (nested?.[1]?.length ?? 0);
  return columns >= 1 && columns <= 8 ? columns : 2;
}

/** Whether the dashes of a list stand below the first letter of its key. */
function hasFlushLists(text: string): boolean {
  return /^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n\1- /m.test(text);
}
