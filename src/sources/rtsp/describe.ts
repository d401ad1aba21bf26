import { RtspConnection } from '#clients/rtsp/connection.ts';
import { parseSdp, type SessionDescription } from '#protocols/sdp/sdp.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import type { ServerTrust } from '#util/server-trust.ts';

/**
 * Asks an RTSP server what is in a stream, over TCP, without playing it. Credentials in the address are used where
 * the server asks for them and never show in an error.
 * @throws NamedError RTSP_ADDRESS_INVALID, RTSP_UNREACHABLE, RTSP_TIMEOUT, RTSP_UNAUTHORIZED, RTSP_NOT_FOUND,
 * RTSP_REFUSED, RTSP_REDIRECT_REFUSED
 */
export function describeRtsp(
  url: string,
  options: { timeoutMs: number; trust?: ServerTrust },
): Promise<SessionDescription> {
  return new Promise((resolve, reject) => {
    const finish = (act: () => void) => {
      clearTimeout(timer);
      void connection.close();
      act();
    };
    const timer = setTimeout(() => {
      const sentence = `${maskAddress(url)} did not answer within ${options.timeoutMs / 1000} s.`;
      finish(() => reject(new NamedError('RTSP_TIMEOUT', sentence, 504)));
    }, options.timeoutMs);
    const connection = new RtspConnection(
      url,
      {
        described: (sdp) => finish(() => resolve(parseSdp(sdp))),
        failed: (error) => finish(() => reject(error)),
      },
      { trust: options.trust },
    );
  });
}
