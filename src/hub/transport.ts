import type { Socket } from 'node:net';

/** Where a reader's bytes go. Nothing here blocks. */
export interface Transport {
  write(bytes: Buffer): void;
  /** Bytes taken by `write` that the kernel has not taken yet. */
  readonly backlog: number;
  /** Sets the one callback that is called when the backlog, once above its mark, is empty again. */
  onDrain(callback: () => void): void;
  /** Ends the connection; the reason is told to the other side where the protocol can. */
  close(reason: string): void;
}

/**
 * A TCP socket (or the one under a WebSocket) as transport: one `write` per chunk, the shared Buffer queued by
 * reference. `end` says goodbye in the protocol's way; the socket is destroyed a second later if it still stands,
 * because a reader that takes nothing would keep it for ever.
 */
export function socketTransport(socket: Socket, end: (reason: string) => void): Transport {
  return {
    write: (bytes) => {
      if (socket.writable) socket.write(bytes);
    },
    get backlog() {
      return socket.writableLength;
    },
    onDrain: (callback) => {
      socket.on('drain', callback);
    },
    close: (reason) => {
      end(reason);
      setTimeout(() => socket.destroy(), 1000).unref();
    },
  };
}
