/** Where the RTMP door tells people what happens. */
export interface RtmpLog {
  info(message: string): void;
  warn(message: string): void;
  debug(message: string): void;
}
