import { z } from 'zod';
import { decodeMessage } from './framing.ts';
import type { WorkerToHub } from './messages.ts';

const id = z.int().min(0).max(0xffff_ffff);
const bytes = z.instanceof(Buffer);
const name = z.string();
const size = z.int().min(0).max(65_535);

const format = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('video'),
    codec: z.enum(['h264', 'h265', 'av1', 'vp8', 'vp9', 'mjpeg', 'mpeg4']),
    parameterSets: z.array(bytes).max(512),
    width: size,
    height: size,
    codecString: name,
  }),
  z.object({
    kind: z.literal('audio'),
    codec: z.enum(['aac', 'opus', 'ac3', 'pcma', 'pcmu', 'mp3']),
    sampleRate: z.int().positive(),
    channels: z.int().min(1).max(255),
    config: bytes,
    codecString: name,
  }),
  z.object({ kind: z.literal('data'), codec: name }),
]);

/** The id of a track is 16 bits in the binary messages. */
const tracks = z
  .array(z.object({ id: z.int().min(0).max(0xffff), clockRate: z.int().positive(), format }))
  .max(64);

const ofTask = { task: name, epoch: z.int() };

const message = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), worker: z.string().min(1), pid: z.int() }),
  z.object({ type: z.literal('pong'), sequence: z.number(), rssBytes: z.number() }),
  z.object({
    type: z.literal('log'),
    level: z.enum(['debug', 'info', 'warn', 'error']),
    message: z.string(),
  }),
  z.object({
    type: z.literal('task.state'),
    ...ofTask,
    state: z.enum(['starting', 'running', 'waiting', 'failed', 'done']),
    reason: z.string().optional(),
    code: z.string().optional(),
    report: z
      .looseObject({ container: z.string(), tracks: z.array(z.looseObject({ codec: z.string() })) })
      .optional(),
  }),
  z.object({ type: z.literal('task.result'), ...ofTask, result: z.unknown() }),
  z.object({ type: z.literal('task.statistics'), ...ofTask, statistics: z.unknown() }),
  z.object({
    type: z.literal('subscribe'),
    subscription: id,
    stream: name,
    tracks: z.array(z.int()).optional(),
    kind: z.enum(['video', 'audio']).optional(),
    held: z.literal(true).optional(),
  }),
  z.object({
    type: z.literal('want'),
    subscription: id,
    pts: z.int().optional(),
    keyframe: z.literal(true).optional(),
    all: z.literal(true).optional(),
  }),
  z.object({ type: z.literal('unsubscribe'), subscription: id }),
  z.object({
    type: z.literal('publish'),
    publication: id,
    ...ofTask,
    stream: name,
    tracks,
    rendition: z.object({ of: z.int() }).optional(),
    part: z.enum(['fill', 'standby']).optional(),
  }),
  z.object({ type: z.literal('unpublish'), publication: id, reason: z.string() }),
]);

/**
 * Reads what a worker says; undefined for what is no message of ours. Workers may stand on other machines one day, and
 * what runs in them is native code: the hub trusts none of it.
 */
export function parseWorkerMessage(text: string): WorkerToHub | undefined {
  const parsed = message.safeParse(decodeMessage(text));
  // zod writes `| undefined` where the type has a field that may be absent; JSON has no undefined.
  return parsed.success ? (parsed.data as WorkerToHub) : undefined;
}
