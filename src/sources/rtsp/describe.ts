import { connect } from 'node:net';
import { RtspClient } from '#protocols/rtsp/client.ts';
import { parseSdp, type SessionDescription } from '#protocols/sdp/sdp.ts';
import { messageOf, NamedError } from '#util/named-error.ts';

const DEFAULT_PORT = 554;

/**
 * Asks an RTSP server what is in a stream, over TCP, without playing it. Credentials in the address are used where
 * the server asks for them and never show in an error.
 * @throws NamedError RTSP_ADDRESS_INVALID, RTSP_UNREACHABLE, RTSP_TIMEOUT, RTSP_UNAUTHORIZED, RTSP_NOT_FOUND,
 * RTSP_REFUSED
 */
export function describeRtsp(url: string, options: { timeoutMs: number }): Promise<SessionDescription> {
  const target = parseTarget(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.host, port: target.port });
    const finish = (act: () => void) => {
      clearTimeout(timer);
      socket.destroy();
      act();
    };
    const fail = (error: Error) => finish(() => reject(error));
    const client = new RtspClient(url, {
      send: (bytes) => socket.write(bytes),
      described: (sdp) => {
        const description = parseSdp(sdp);
        finish(() => resolve(description));
      },
      failed: fail,
    });
    const timer = setTimeout(() => {
      const seconds = options.timeoutMs / 1000;
      fail(new NamedError('RTSP_TIMEOUT', `${client.url} did not answer within ${seconds} s.`, 504));
    }, options.timeoutMs);
    const unreachable = (why: string) =>
      fail(new NamedError('RTSP_UNREACHABLE', `${client.url} cannot be reached: ${why}.`, 502));
    socket.on('connect', () => client.start());
    socket.on('data', (bytes) => client.receive(bytes));
    socket.on('error', (error) => unreachable(messageOf(error)));
    socket.on('close', () => unreachable('the server closed the connection before it answered'));
  });
}

function parseTarget(url: string): { host: string; port: number } {
  const match = /^rtsp:\/\/(?:[^/?#]*@)?(\[[^\]]+\]|[^:/?#]+)(?::(\d{1,5}))?(?:[/?#]|$)/i.exec(url);
  const port = Number(match?.[2] ?? DEFAULT_PORT);
  if (!match || port < 1 || port > 65_535) {
    throw new NamedError(
      'RTSP_ADDRESS_INVALID',
      'The address is no RTSP address such as rtsp://host:554/stream.',
    );
  }
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}
