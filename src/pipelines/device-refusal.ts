import { access, constants, stat } from 'node:fs/promises';
import { NamedError } from '#util/named-error.ts';
import { AvError } from './av/library.ts';
import type { CaptureInput } from './capture-input.ts';

/**
 * Why a device could not be opened, in words that say what to do. FFmpeg says of a display and of a microphone no more than
 * that it failed, so what can be seen of them is looked at here.
 */
export async function deviceRefusal(
  { format, url, label }: Pick<CaptureInput, 'format' | 'url' | 'label'>,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof AvError)) return error;
  const missing = (what: string) => new NamedError('DEVICE_MISSING', what, 404, { cause: error });
  const forbidden = (what: string) => new NamedError('DEVICE_FORBIDDEN', what, 403, { cause: error });
  const failed = (why: string) => deviceGone(label, why, error);
  const code = error.systemCode;
  if (code === 'EBUSY') return failed('another program has it; end that one');
  if (format === 'x11grab') {
    if (code === 'EINVAL') return failed('the part that was asked for does not lie within it');
    const socket = /^:(\d+)/.exec(url)?.[1];
    if (socket === undefined || (await isThere(`/tmp/.X11-unix/X${socket}`))) {
      return forbidden(
        `${capital(label)} lets Sluice not in: run it as the user of that desktop, or set XAUTHORITY to the file of its cookies.`,
      );
    }
    return missing(`There is no ${label.replace(/^the /, '')}: no X server listens there.`);
  }
  if (code === 'EACCES' || code === 'EPERM' || (format === 'v4l2' && (await isForbidden(url)))) {
    const group = format === 'alsa' ? 'audio' : 'video';
    return forbidden(
      `Sluice may not open ${label} (${url}): add its user to the group "${group}" and log in anew; in a container, hand the device over.`,
    );
  }
  if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO') {
    return missing(`${capital(label)} is not there (${url}): check that it is plugged in.`);
  }
  return failed(error.message.replace(/\.$/, ''));
}

/** A device that cannot be taken any more, or not like that. `why` is a clause. */
export function deviceGone(label: string, why: string, cause?: unknown): NamedError {
  return new NamedError('DEVICE_FAILED', `${capital(label)} cannot be taken: ${why}.`, 502, { cause });
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function isForbidden(path: string): Promise<boolean> {
  if (!(await isThere(path))) return false;
  return access(path, constants.R_OK | constants.W_OK).then(
    () => false,
    () => true,
  );
}
