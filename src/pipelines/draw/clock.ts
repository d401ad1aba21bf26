/** When a picture was captured, in the time zone of this machine: `2026-11-26 21:05:03.4`. @param ntp ms since 1970 */
export function clockText(ntp: number): string {
  const time = new Date(ntp);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const tenth = Math.floor(time.getMilliseconds() / 100);
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${tenth}`;
}
