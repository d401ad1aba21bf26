/**
 * A worker process for tests of the pool. It speaks over the IPC channel instead of a link, and shows what a worker
 * must do: answer when asked for a sign of life, confirm what it stops, and end when the server is gone.
 */
export type ToChild =
  | { readonly type: 'ping' }
  | {
      readonly type: 'start';
      readonly task: { readonly id: string; readonly epoch: number; readonly spec: string };
    }
  | { readonly type: 'stop'; readonly task: string };

export type FromChild =
  | { readonly type: 'hello' | 'pong' }
  | {
      readonly type: 'state';
      readonly task: string;
      readonly epoch: number;
      readonly state: 'running' | 'done';
    };

const say = (message: FromChild) => process.send?.(message);
const epochs = new Map<string, number>();

process.on('disconnect', () => process.exit(0));
process.on('message', (message: ToChild) => {
  if (message.type === 'ping') return say({ type: 'pong' });
  if (message.type === 'start') {
    epochs.set(message.task.id, message.task.epoch);
    return say({ type: 'state', task: message.task.id, epoch: message.task.epoch, state: 'running' });
  }
  return say({ type: 'state', task: message.task, epoch: epochs.get(message.task) ?? 0, state: 'done' });
});

if (process.env['FAIL_AT_START']) throw new Error('no model at all');
if (process.env['IGNORE_SIGTERM']) process.on('SIGTERM', () => {});
say({ type: 'hello' });
