import { describe, expect, it } from 'vitest';
import { afterRefusal, DoorRefusal, isSetback } from './door-refusal.ts';
import { answeredTracks } from './whep.ts';

function answer(...sections: string[]): string {
  return ['v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0', ...sections].join('\r\n');
}

const video =
  'm=video 9 UDP/TLS/RTP/SAVPF 103\r\na=mid:0\r\na=sendonly\r\na=rtpmap:103 H264/90000\r\na=fmtp:103 x=1';
const opus = 'm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=sendonly\r\na=rtpmap:111 opus/48000/2';

describe('the tracks of a WHEP answer', () => {
  it('are those that will come, by the words of the API', () => {
    expect(answeredTracks(answer(video, opus))).toEqual([
      { id: 1, kind: 'video', codec: 'h264', codecString: '' },
      { id: 2, kind: 'audio', codec: 'opus', codecString: '' },
    ]);
  });

  it('are without what was refused, and without data channels', () => {
    const refused = 'm=audio 0 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:1';
    const data = 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2';
    expect(answeredTracks(answer(video, refused, data)).map(({ kind }) => kind)).toEqual(['video']);
  });
});

describe('what a source does after a refusal', () => {
  const after = (status: number, code: string, hadMedia = false) =>
    afterRefusal(new DoorRefusal(status, code, 'The sentence.'), hadMedia, 1_000);

  it('is to wait for a stream that is not there yet, and to call one gone that was', () => {
    expect(after(404, 'STREAM_NOT_FOUND')).toMatchObject({ kind: 'waiting', for: 'publisher' });
    expect(after(404, 'STREAM_NOT_FOUND', true)).toEqual({ kind: 'gone', retryAt: 3_000 });
    expect(after(503, 'SOURCE_NOT_READY')).toMatchObject({ kind: 'waiting', reason: 'The sentence.' });
  });

  it('is to wait for a server that does not answer, or whose proxy says that it does not', () => {
    expect(afterRefusal(new TypeError('Failed to fetch'), false, 1_000)).toMatchObject({ kind: 'lost' });
    expect(after(502, '')).toMatchObject({ kind: 'lost' });
  });

  it('is to give up where asking again changes nothing', () => {
    for (const [status, code] of [
      [406, 'WEBRTC_NO_COMMON_CODEC'],
      [415, 'PICTURES_UNAVAILABLE'],
      [503, 'WEBRTC_FULL'],
      [403, 'ACCESS_FORBIDDEN'],
    ] as const) {
      expect(isSetback(after(status, code)), code).toBe(true);
    }
    expect(after(503, 'WEBRTC_FULL')).toEqual({
      kind: 'refused',
      message: 'The sentence.',
      code: 'WEBRTC_FULL',
    });
  });

  it('is told by what the doors answer', async () => {
    const error = { code: 'WEBRTC_FULL', message: 'Full.' };
    const refusal = await DoorRefusal.of(new Response(JSON.stringify({ error }), { status: 503 }));
    expect(refusal).toMatchObject({ status: 503, code: 'WEBRTC_FULL', message: 'Full.' });
    const proxy = await DoorRefusal.of(new Response('<html>', { status: 502, statusText: 'Bad Gateway' }));
    expect(proxy).toMatchObject({ status: 502, code: '', message: '502 Bad Gateway' });
  });
});
