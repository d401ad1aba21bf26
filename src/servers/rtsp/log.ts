/** Where the RTSP door tells people what happens. */
export interface RtspLog {
  info(message: string): void;
  warn(message: string): void;
  debug(message: string): void;
}
