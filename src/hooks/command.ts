import { ProcessGroup } from '#util/process-group.ts';
import { eventVariables, type HookEvent, type Outcome } from './event.ts';

/** Between SIGTERM and SIGKILL. */
const PATIENCE_MS = 5000;

/** The group of a command as it is used here; a test has its own. */
export type Group = Pick<ProcessGroup, 'pid' | 'ended' | 'end'>;
export type StartGroup = (
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
) => Group;

export const startGroup: StartGroup = (argv, environment) => new ProcessGroup(argv, environment);

/** Starts the command of a hook for an event, or for what began with it; no shell reads the arguments. */
export function startCommand(
  argv: readonly string[],
  event: Omit<HookEvent, 'type'> & { readonly type: string },
  start: StartGroup,
): Group {
  return start(argv, { ...process.env, ...eventVariables(event) });
}

/** Runs a command for one event; it is ended after `timeoutMs`, or when `stop` is aborted. Never rejects. */
export async function runCommand(
  argv: readonly string[],
  event: HookEvent,
  timeoutMs: number,
  stop: AbortSignal,
  start: StartGroup,
): Promise<Outcome> {
  const group = startCommand(argv, event, start);
  let late = false;
  const end = () => void group.end(PATIENCE_MS);
  const timer = setTimeout(() => {
    late = true;
    end();
  }, timeoutMs);
  stop.addEventListener('abort', end, { once: true });
  if (stop.aborted) end();
  const { code, stderr } = await group.ended;
  clearTimeout(timer);
  stop.removeEventListener('abort', end);
  const ok = code === 0 && !late;
  const status = code === undefined ? {} : { status: code };
  if (ok) return { ok, ...status };
  const words = stderr === '' ? '' : ` Its last words: ${stderr.split('\n').at(-1)}`;
  const what = late ? `It was ended after ${timeoutMs / 1000} s.` : `It ended with code ${code ?? 'none'}.`;
  return { ok, ...status, message: `${what}${words}` };
}
