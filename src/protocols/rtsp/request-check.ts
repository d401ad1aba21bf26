import { parseRtspAddress, type RtspAddress } from './address.ts';
import type { RtspRequest } from './message.ts';
import { Refusal } from './refusal.ts';
import { isKnownMethod, PUBLIC_HEADER } from './states.ts';

/**
 * What a request has to be, whatever the state of its session; gives the address that it names.
 * @throws Refusal 400, 501, 505, 551
 */
export function checkRequest(request: RtspRequest): RtspAddress {
  if (!request.version.startsWith('RTSP/1.')) {
    throw new Refusal(
      request.version === '' ? 400 : 505,
      `This is an RTSP/1.0 server; it cannot answer a request in ${request.version || 'no stated version'}.`,
    );
  }
  if (!/^\d{1,10}$/.test(request.headers.get('cseq') ?? '')) {
    throw new Refusal(400, 'The request has no CSeq header with a number.');
  }
  const required = request.headers.getAll('require').join(', ');
  if (required !== '') {
    throw new Refusal(551, `The server does not know the option "${required}".`, [['Unsupported', required]]);
  }
  if (!isKnownMethod(request.method)) {
    throw new Refusal(501, `The method "${request.method}" is not known.`, [PUBLIC_HEADER]);
  }
  const address = parseRtspAddress(request.uri);
  if (!address) throw new Refusal(400, `"${request.uri}" is not an RTSP address.`);
  return address;
}
