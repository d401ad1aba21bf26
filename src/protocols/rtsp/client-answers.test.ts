import { describe, expect, test } from 'vitest';
import { except, good, SDP, talk } from '../../../test/support/rtsp-client.ts';

describe('the addresses of tracks', () => {
  const urls = (base: string, control: string, tracks: string[], url = 'rtsp://cam/live') => {
    const describe = `RTSP/1.0 200 OK\nCSEQ\n${base}Content-Length: 3\n\n${SDP}`;
    const { lines } = talk(except({ DESCRIBE: describe }), { url, control, tracks });
    return lines().slice(2);
  };

  test('belong to the address that was asked where Content-Base is missing or means nothing', () => {
    expect(urls('', '*', ['trackID=1'])).toEqual(['SETUP rtsp://cam/live/trackID=1', 'PLAY rtsp://cam/live']);
    expect(urls('Content-Base: nonsense\n', '', ['a'])).toContain('SETUP rtsp://cam/live/a');
    expect(urls('Content-Base: /other/\n', '', ['a'])).toContain('SETUP rtsp://cam/other/a');
    expect(urls('Content-Location: rtsp://cam/x\n', '', ['a'])).toContain('SETUP rtsp://cam/x/a');
  });

  test('stand behind a query as text, as servers expect it', () => {
    const url = 'rtsp://cam/cam/realmonitor?channel=1&subtype=0';
    expect(urls('', '*', ['trackID=0'], url)).toContain(`SETUP ${url}/trackID=0`);
    expect(urls('', '*', ['?ctype=video'], 'rtsp://cam/x')).toContain('SETUP rtsp://cam/x?ctype=video');
  });

  test('are that of the stream itself where the description names none', () => {
    expect(urls('Content-Base: rtsp://cam/live/\n', '', [''])).toEqual([
      'SETUP rtsp://cam/live/',
      'PLAY rtsp://cam/live/',
    ]);
    expect(urls('', '', [''])).toEqual(['SETUP rtsp://cam/live', 'PLAY rtsp://cam/live']);
  });

  test('have one slash between base and track, however many were written', () => {
    for (const base of ['Content-Base: rtsp://cam/live\n', 'Content-Base: rtsp://cam/live/\n']) {
      expect(urls(base, '*', ['trackID=1'])[0]).toBe('SETUP rtsp://cam/live/trackID=1');
      expect(urls(base, '*', ['/trackID=1'])[0]).toBe('SETUP rtsp://cam/live/trackID=1');
      expect(urls(base, '*', ['trackID=1/'])[0]).toBe('SETUP rtsp://cam/live/trackID=1/');
    }
  });

  test('may name another host, such as the one that the camera knows itself by', () => {
    expect(urls('Content-Base: rtsp://192.168.1.64/live/\n', '*', ['a'])[0]).toBe(
      'SETUP rtsp://192.168.1.64/live/a',
    );
  });

  test('are taken as they stand when they are absolute, without credentials', () => {
    expect(urls('', 'rtsp://cam:554/agg/', ['rtsp://u:p@10.0.0.9/v', 'a'])).toEqual([
      'SETUP rtsp://10.0.0.9/v',
      'SETUP rtsp://cam:554/agg/a',
      'PLAY rtsp://cam:554/agg/',
    ]);
  });
});

describe('a redirect', () => {
  const moved = 'RTSP/1.0 302 Moved Temporarily\nCSEQ\nLocation: rtsp://other/live\n\n';

  test('is handed over, and ends the conversation', () => {
    const { outcome, clock } = talk(except({ DESCRIBE: moved }), { redirects: true });
    expect(outcome.redirected).toBe('rtsp://other/live');
    expect(outcome.error).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  test('is a refusal where it may not be followed', () => {
    const { outcome } = talk(except({ DESCRIBE: moved }));
    expect(outcome.error).toMatchObject({
      message: 'rtsp://cam/live answered DESCRIBE with 302 Moved Temporarily.',
    });
  });
});

describe('a description whose length is wrong', () => {
  const sdp = 'v=0\nm=video 0 RTP/AVP 96\na=control:track1\n';
  const described = (length: number) => {
    const talking = talk((request) =>
      request.method === 'DESCRIBE'
        ? `RTSP/1.0 200 OK\nCSEQ\nContent-Type: application/sdp\nContent-Length: ${length}\n\n${sdp}`
        : good(request),
    );
    return talking;
  };

  test('is taken whole where it is longer than declared', () => {
    for (const length of [5, 6, 20, sdp.length]) {
      const { outcome } = described(length);
      expect(outcome.sdp).toBe(sdp.replaceAll('\n', '\r\n'));
      expect(outcome.playing).toBe(true);
    }
  });

  test('is taken after 5 s where it is shorter than declared', () => {
    const { clock, run, outcome } = described(2000);
    clock.advance(4999);
    expect(outcome.sdp).toBeUndefined();
    clock.advance(1);
    run();
    expect(outcome.sdp).toBe(sdp.replaceAll('\n', '\r\n'));
    expect(outcome.playing).toBe(true);
  });
});

describe('answers that are a little off', () => {
  test('name a session with spaces around it and its time-out', () => {
    const { asked, play } = talk(
      except({ SETUP: 'RTSP/1.0 200 OK\nCSEQ\nSession:  12 34 ; Timeout = 20 \n\n' }),
    );
    expect(asked[3]!.headers.get('session')).toBe('12 34');
    play(11);
    expect(asked[4]!.method).toBe('GET_PARAMETER');
  });

  test('belong to the oldest request when they have no number, and 100 is no answer yet', () => {
    const { outcome } = talk((request) => {
      const text = good(request).replace('CSEQ\n', '');
      return request.method === 'DESCRIBE' ? `RTSP/1.0 100 Continue\nCSEQ\n\n${text}` : text;
    });
    expect(outcome.playing).toBe(true);
  });

  test('belong to the oldest request too when their number is always the same', () => {
    const { outcome } = talk((request) => good(request).replace('CSEQ', 'CSeq: 1'));
    expect(outcome.playing).toBe(true);
  });

  test('that come too late are taken for no answer to another request', () => {
    const { client, clock, media, outcome, asked } = talk(
      except({ GET_PARAMETER: undefined, OPTIONS: 'RTSP/1.0 200 OK\nCSEQ\nPublic: GET_PARAMETER\n\n' }),
    );
    for (let second = 0; second < 62; second++) {
      clock.advance(1000);
      media();
    }
    expect(asked.slice(4).map(({ headers }) => headers.get('cseq'))).toEqual(['5', '6']);
    client.receive(Buffer.from('RTSP/1.0 454 Session Not Found\r\nCSeq: 5\r\n\r\n'));
    expect(outcome.error).toBeUndefined();
  });

  test('that are no RTSP end it with a name', () => {
    const { outcome } = talk(except({ OPTIONS: Buffer.alloc(200_000, 0xff) }));
    expect(outcome.error).toMatchObject({ code: 'RTSP_NOT_RTSP' });
  });
});
