import { isClockName } from '#media/clock-name.ts';
import { isAmfObject } from '#util/amf-value.ts';
import { parseAmf0, writeAmf0 } from '#util/amf0.ts';

/**
 * Name of the script data in which Sluice tells Sluice what FLV has no place for: when what has this timestamp was
 * captured, and by which clock (`media/clock-name.ts`). It is what a sender report is to RTP; who does not know it passes
 * it over, as the other names that encoders have for such data.
 */
const NAME = 'onCaptureTime';
/** Latest time that is believed, ms since 1970: of the year 2109, as NTP has about. */
const LATEST = 2 ** 42;

/** Body of the script data: wall clock of the capture at its timestamp, ms since 1970. */
export function writeCaptureTime(clock: string, ntp: number): Buffer {
  return writeAmf0(NAME, { clock, time: ntp });
}

/** What such script data says; undefined for any other. */
export function parseCaptureTime(
  payload: Buffer,
): { readonly clock: string; readonly ntp: number } | undefined {
  // Most script data are something else, and as long as a picture where an encoder likes to talk.
  if (!payload.subarray(0, 64).includes(NAME)) return undefined;
  const values = parseAmf0(payload);
  const about = values[values.indexOf(NAME) + 1];
  if (!values.includes(NAME) || !isAmfObject(about)) return undefined;
  const { clock, time } = about;
  if (typeof clock !== 'string' || !isClockName(clock)) return undefined;
  return typeof time === 'number' && time > 0 && time < LATEST ? { clock, ntp: time } : undefined;
}
