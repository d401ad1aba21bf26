import { NamedError } from '#util/named-error.ts';

/** Which streams of the hub are made of which others: none may be made of itself, by whatever detour. */
export class Derivations {
  /** One entry for each that is being made, under the name of what it is made. */
  readonly #made = new Map<string, Set<readonly string[]>>();

  /**
   * Says that a stream is made of others, until the returned function is called.
   * @throws NamedError STREAM_LOOP that names the way round
   */
  add(name: string, from: readonly string[]): () => void {
    for (const source of from) {
      const way = this.#way(source, name);
      if (way) throw loop(name, way);
    }
    const all = this.#made.get(name) ?? new Set();
    const entry = [...from];
    all.add(entry);
    this.#made.set(name, all);
    return () => {
      all.delete(entry);
      if (all.size === 0 && this.#made.get(name) === all) this.#made.delete(name);
    };
  }

  /** How the first stream is made of the other one; undefined where it is not. */
  #way(name: string, of: string, seen = new Set<string>()): string[] | undefined {
    if (name === of) return [name];
    if (seen.has(name)) return undefined;
    seen.add(name);
    for (const source of [...(this.#made.get(name) ?? [])].flat()) {
      const way = this.#way(source, of, seen);
      if (way) return [name, ...way];
    }
    return undefined;
  }
}

function loop(name: string, way: readonly string[]): NamedError {
  const [first, ...others] = way;
  const made = others.map((one) => `, which is made of "${one}"`).join('');
  const sentence =
    others.length === 0
      ? `The stream "${name}" cannot be made of itself.`
      : `The stream "${name}" cannot be made of "${first}"${made}.`;
  return new NamedError('STREAM_LOOP', `${sentence} Choose another name for one of them.`, 409);
}
