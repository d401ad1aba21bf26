import { describe, expect, test } from 'vitest';
import { NamedError } from '#util/named-error.ts';
import { setUp, TCP, URL } from '../../../test/support/rtsp-session.ts';
import { serializeInterleaved } from './message.ts';

describe('the requests of a session', () => {
  test('leads a reader from DESCRIBE to TEARDOWN, and media starts only after the response to PLAY', async () => {
    const { ask, calls } = setUp();
    expect((await ask('OPTIONS', URL)).header('Public')).toContain('GET_PARAMETER');
    const described = await ask('DESCRIBE', `${URL}?token=x`, { Accept: 'application/sdp' });
    expect(described.header('Content-Base')).toBe(`${URL}/`);
    expect(described.body).toBe('v=0\r\n');
    const setup = await ask('SETUP', `${URL}/trackID=0`, TCP);
    expect(setup.header('Transport')).toBe('RTP/AVP/TCP;unicast;interleaved=0-1');
    expect(setup.header('Session')).toBe('S1;timeout=60');
    const play = await ask('PLAY', URL, { Session: 'S1' });
    expect(play.header('CSeq')).toBe('4');
    expect(play.header('Range')).toBe('npt=0.000-');
    expect(play.header('RTP-Info')).toBe(`url=${URL}/trackID=0;seq=5;rtptime=90000`);
    expect((await ask('PAUSE', URL, { Session: 'S1' })).status).toBe(200);
    expect((await ask('PLAY', `${URL}/`, { Session: 'S1;timeout=60' })).status).toBe(200);
    expect((await ask('TEARDOWN', URL, { Session: 'S1' })).status).toBe(200);
    expect(calls).toEqual([
      'play-setup yard/gate trackID=0 0,1',
      'start after 4 replies',
      'pause',
      'start after 6 replies',
      'released: The client left (TEARDOWN).',
    ]);
  });

  test('leads a publisher from ANNOUNCE to RECORD, with the track names of its own description', async () => {
    const { session, ask, calls } = setUp();
    await ask('ANNOUNCE', URL, { 'Content-Type': 'application/sdp' }, 'v=0\r\n');
    const setup = await ask('SETUP', `${URL}/streamid=1`, {
      Transport: 'RTP/AVP/TCP;unicast;interleaved=2-3;mode=record',
    });
    expect(setup.header('Transport')).toBe('RTP/AVP/TCP;unicast;interleaved=2-3;mode=record');
    expect((await ask('RECORD', URL, { Session: 'S1' })).status).toBe(200);
    expect(session.state).toBe('RECORDING');
    session.receive(serializeInterleaved(2, Buffer.alloc(12)));
    session.close('The connection is gone.');
    session.close('again');
    expect(calls).toEqual([
      'announce yard/gate',
      'record-setup yard/gate streamid=1 2,3',
      'record',
      'frame 2 12',
      'released: The connection is gone.',
    ]);
  });

  test('sets up a track without a DESCRIBE before it, as some players do', async () => {
    const { ask, calls } = setUp();
    expect((await ask('SETUP', `${URL}/trackID=1`, TCP)).status).toBe(200);
    expect(calls).toEqual(['play-setup yard/gate trackID=1 0,1']);
  });

  test('answers what is wrong with a status and a sentence', async () => {
    const { ask } = setUp({
      describe: () => {
        throw new NamedError('STREAM_NOT_FOUND', 'There is no stream "yard/gate".', 404);
      },
      announce: () => {
        throw new Error('a bug');
      },
    });
    const play = await ask('PLAY', URL);
    expect(play.status).toBe(455);
    expect(play.header('Allow')).toContain('SETUP');
    expect(play.header('Content-Type')).toBe('text/plain; charset=utf-8');
    expect(play.body).toBe('PLAY is not possible in the state INIT.\r\n');
    const missing = await ask('DESCRIBE', URL);
    expect([missing.status, missing.reason]).toEqual([404, 'Not Found - There is no stream "yard/gate".']);
    expect((await ask('ANNOUNCE', URL)).status).toBe(500);
    expect((await ask('FLY', URL)).status).toBe(501);
    expect((await ask('REDIRECT', URL)).status).toBe(405);
    expect((await ask('PLAY', URL, { Session: 'other' })).status).toBe(454);
    expect((await ask('OPTIONS', URL, { CSeq: 'x' })).status).toBe(400);
    expect((await ask('DESCRIBE', 'nowhere')).status).toBe(400);
    expect((await ask('DESCRIBE', URL, { Accept: 'text/html' })).status).toBe(406);
    expect((await ask('SET_PARAMETER', URL, {}, 'volume: 11')).status).toBe(451);
    expect((await ask('SETUP', `${URL}/trackID=0`)).status).toBe(400);
    expect((await ask('SETUP', `${URL}/trackID=0`, { Transport: 'RTP/AVP/TCP;mode=record' })).status).toBe(
      455,
    );
  });

  test('refuses the option of an ONVIF back channel, so that the client goes on without it', async () => {
    const { ask } = setUp();
    const reply = await ask('DESCRIBE', URL, { Require: 'www.onvif.org/ver20/backchannel' });
    expect([reply.status, reply.header('Unsupported')]).toEqual([551, 'www.onvif.org/ver20/backchannel']);
  });
});
