/** Whether anybody can see the page. */
export class Attention {
  readonly #onSeen: () => void;
  #hiddenSince: number | undefined;

  /** @param onSeen the page is seen again */
  constructor(onSeen: () => void) {
    this.#onSeen = onSeen;
    document.addEventListener('visibilitychange', this.#look);
  }

  /** How long the page has been hidden since it was seen last, ms. */
  get hiddenMs(): number {
    return this.#hiddenSince === undefined ? 0 : performance.now() - this.#hiddenSince;
  }

  close(): void {
    document.removeEventListener('visibilitychange', this.#look);
  }

  #look = (): void => {
    this.#hiddenSince = document.hidden ? performance.now() : undefined;
    if (!document.hidden) this.#onSeen();
  };
}
