/** What hooks are called for. */
export const eventTypes = ['publish', 'unpublish', 'read', 'unread', 'ready', 'lost'] as const;

export type EventType = (typeof eventTypes)[number];

/** Something that happened to a stream. What is not known is absent. */
export interface HookEvent {
  /** Unique; the same in every attempt to deliver it, so that a receiver can tell what it has already. */
  readonly id: string;
  readonly type: EventType;
  /** RFC 3339. */
  readonly time: string;
  readonly stream: string;
  /** The door of the publisher or the reader. */
  readonly door?: string;
  /** Address of the other side; of a source without credentials. */
  readonly remote?: string;
  readonly user?: string;
  /** Why something ended. */
  readonly reason?: string;
}

/** What a delivery or a run of a command came to. */
export interface Outcome {
  readonly ok: boolean;
  /** HTTP status, or exit code. */
  readonly status?: number;
  /** What went wrong, in a sentence. */
  readonly message?: string;
  /** Another attempt may succeed. */
  readonly retry?: boolean;
}

/** The variables that a command finds in its environment. */
export function eventVariables(
  event: Omit<HookEvent, 'type'> & { readonly type: string },
): Record<string, string> {
  const { id, type, time, stream, door = '', remote = '', user = '', reason = '' } = event;
  return {
    SLUICE_EVENT_ID: id,
    SLUICE_EVENT: type,
    SLUICE_TIME: time,
    SLUICE_STREAM: stream,
    SLUICE_DOOR: door,
    SLUICE_REMOTE: remote,
    SLUICE_USER: user,
    SLUICE_REASON: reason,
  };
}
