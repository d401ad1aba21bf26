/** Where a reader's bytes go: a socket of some door. Nothing here blocks. */
export interface Transport {
  write(bytes: Buffer): void;
  /** Bytes taken by `write` that the kernel has not taken yet. */
  readonly backlog: number;
  /** Sets the one callback that is called when the backlog, once above the socket's mark, is empty again. */
  onDrain(callback: () => void): void;
  /** Ends the connection; the reason is told to the other side where the protocol can. */
  close(reason: string): void;
}
