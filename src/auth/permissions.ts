import { namePattern } from '#util/name-pattern.ts';
import type { Action, Permission } from './words.ts';

/** Whether one of the permissions is for this; the stream is empty for the server as a whole. */
export function permissionTest(
  permissions: readonly Permission[],
): (action: Action, stream: string) => boolean {
  const compiled = permissions.map(({ actions, streams }) => ({
    actions: new Set(actions),
    matches: namePattern(streams),
  }));
  return (action, stream) => compiled.some(({ actions, matches }) => actions.has(action) && matches(stream));
}
