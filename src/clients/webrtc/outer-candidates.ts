import type { WebRtcAnswer } from '#protocols/sdp/webrtc-offer.ts';
import { innerPlace } from '#util/inner-address.ts';

/** An answer without the candidates that lead to this machine, its cable or its cloud: whoever answers names them freely. */
export function withOuterCandidates(answer: WebRtcAnswer): WebRtcAnswer {
  const candidates = answer.candidates.filter(({ address }) => innerPlace(address) === undefined);
  return { ...answer, candidates };
}
