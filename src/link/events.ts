import type { HubToWorker, ProbeReport, TaskState } from './messages.ts';
import type { FramedPicture } from './picture.ts';

/** Where tasks are sent to one worker. */
export interface TaskLink {
  send(message: HubToWorker): void;
  /** Sends a picture to a task; it is let go where so much waits for the worker that it would be late anyway. */
  sendPicture(picture: FramedPicture): void;
  close(reason: string): void;
}

/** Whether what a worker sends for a task is still wanted: false when the task, its worker or its epoch is over. */
export type Accepts = (worker: string, task: string, epoch: number) => boolean;

export interface TaskReport {
  readonly worker: string;
  readonly task: string;
  readonly epoch: number;
  readonly state: TaskState;
  readonly reason?: string | undefined;
  readonly code?: string | undefined;
  readonly report?: ProbeReport | undefined;
}

export interface LinkServerEvents {
  /** A worker said hello; tasks may be sent to it. */
  hello(worker: string, pid: number, link: TaskLink): void;
  gone(worker: string, reason: string): void;
  heartbeat(worker: string, rssBytes: number): void;
  taskState(report: TaskReport): void;
  result(worker: string, task: string, epoch: number, result: unknown): void;
  statistics(worker: string, task: string, epoch: number, statistics: unknown): void;
  picture(worker: string, picture: FramedPicture): void;
  log(worker: string, level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}
