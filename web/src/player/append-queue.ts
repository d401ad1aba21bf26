/** One step for a SourceBuffer. */
export type AppendStep =
  | { readonly kind: 'init'; readonly mime: string; readonly bytes: ArrayBuffer }
  | { readonly kind: 'media'; readonly bytes: Uint8Array<ArrayBuffer> };

/** Fragments are joined up to this size, so that a burst costs one append and not fifty. */
const BATCH_BYTES = 512 * 1024;

/** What waits to be appended: init segments in their place, and between them media, joined into batches. */
export class AppendQueue {
  readonly #items: { mime: string | undefined; bytes: ArrayBuffer }[] = [];
  #bytes = 0;

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#items.length === 0;
  }

  pushInit(mime: string, bytes: ArrayBuffer): void {
    this.#push({ mime, bytes });
  }

  pushMedia(bytes: ArrayBuffer): void {
    this.#push({ mime: undefined, bytes });
  }

  /** Takes the next step out of the queue. */
  take(): AppendStep | undefined {
    const first = this.#items[0];
    if (!first) return undefined;
    if (first.mime !== undefined) {
      this.#items.shift();
      this.#bytes -= first.bytes.byteLength;
      return { kind: 'init', mime: first.mime, bytes: first.bytes };
    }
    let count = 0;
    let size = 0;
    for (const item of this.#items) {
      if (item.mime !== undefined || (count > 0 && size + item.bytes.byteLength > BATCH_BYTES)) break;
      size += item.bytes.byteLength;
      count++;
    }
    const batch = this.#items.splice(0, count);
    this.#bytes -= size;
    return { kind: 'media', bytes: join(batch, size) };
  }

  /** Puts a step back in front, because the buffer had no room for it. */
  putBack(step: AppendStep): void {
    const bytes = step.kind === 'init' ? step.bytes : step.bytes.buffer;
    this.#items.unshift({ mime: step.kind === 'init' ? step.mime : undefined, bytes });
    this.#bytes += bytes.byteLength;
  }

  clear(): void {
    this.#items.length = 0;
    this.#bytes = 0;
  }

  #push(item: { mime: string | undefined; bytes: ArrayBuffer }): void {
    this.#items.push(item);
    this.#bytes += item.bytes.byteLength;
  }
}

function join(batch: readonly { bytes: ArrayBuffer }[], size: number): Uint8Array<ArrayBuffer> {
  if (batch.length === 1 && batch[0]) return new Uint8Array(batch[0].bytes);
  const joined = new Uint8Array(size);
  let offset = 0;
  for (const { bytes } of batch) {
    joined.set(new Uint8Array(bytes), offset);
    offset += bytes.byteLength;
  }
  return joined;
}
