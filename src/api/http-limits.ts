/** TCP connections at most; what comes on top is turned away. */
export const MAX_CONNECTIONS = 4096;

/**
 * Limits of the HTTP server, set and not left to defaults: a client that says its request byte by byte, or nothing, is
 * cut off (408) and must not hold what others could use. Ms and bytes.
 */
export const httpLimits = {
  /** Headers are complete within this time, counted from the connection or from the first byte of the next request. */
  headersTimeout: 10_000,
  /** The whole request is. */
  requestTimeout: 30_000,
  /** How often that is looked at. */
  connectionsCheckingInterval: 1000,
  /** A connection that waits for its next request is kept for this time. */
  keepAliveTimeout: 10_000,
  maxHeaderSize: 16 << 10,
  /** A peer that vanished is noticed by probes after 30 s without traffic, and given up 10 s later. */
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  noDelay: true,
} as const;
