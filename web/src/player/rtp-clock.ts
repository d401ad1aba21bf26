/**
 * From RTP timestamps to those of the stream. Sluice sends each picture over WebRTC with the RTP timestamp
 * `pts mod 2^32`, without a random offset (RFC 3550 §5.1 wants one
 * against attacks on ciphers that SRTP does not have), so that a result
 * and its picture find each other in any browser that tells `rtpTimestamp`. Only the count of wraps (one in 13.25 hours)
 * is not in the packet: it is that which comes nearest to a timestamp known otherwise.
 */
export class RtpClock {
  #near: number | undefined;

  /** A timestamp of about now that is known in full, such as that of a result. */
  anchor(pts: number): void {
    this.#near = pts;
  }

  /** @param rtp 32 bits. @returns the stream's timestamp, 90 kHz ticks. */
  pts(rtp: number): number {
    const near = this.#near ?? rtp;
    const wrapped = ((near % 2 ** 32) + 2 ** 32) % 2 ** 32;
    let step = rtp - wrapped;
    if (step >= 2 ** 31) step -= 2 ** 32;
    else if (step < -(2 ** 31)) step += 2 ** 32;
    this.#near = near + step;
    return this.#near;
  }
}
