import { z } from 'zod';
import { badRequest } from './answers.ts';

const clientMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('run'),
    algorithm: z.string(),
    parameters: z.record(z.string(), z.unknown()).optional(),
  }),
  z.strictObject({ type: z.literal('release'), algorithm: z.string() }),
]);

/**
 * Reads a message of a viewer.
 * @throws NamedError REQUEST_INVALID
 */
export function parseViewerMessage(data: Buffer, binary: boolean): z.output<typeof clientMessage> {
  let json: unknown;
  try {
    json = binary ? undefined : JSON.parse(data.toString());
  } catch {
    json = undefined;
  }
  const parsed = clientMessage.safeParse(json);
  if (parsed.success) return parsed.data;
  throw badRequest(
    'a message on this socket is {"type":"run","algorithm":…,"parameters":…} or {"type":"release","algorithm":…}',
  );
}
