import { describe, expect, test } from 'vitest';
import { aacTrack, h264Track } from '../../../test/support/fmp4-units.ts';
import { parseClientMessage, streamMessage } from './messages.ts';

describe('messages of the MSE door', () => {
  test('describe the tracks and give the type that a page asks its browser about', () => {
    expect(streamMessage('yard/gate-1', [h264Track, aacTrack], [])).toEqual({
      type: 'stream',
      stream: 'yard/gate-1',
      tracks: [
        { id: 1, kind: 'video', codec: 'h264', codecString: 'avc1.42c01e', width: 640, height: 360 },
        { id: 2, kind: 'audio', codec: 'aac', codecString: 'mp4a.40.2', sampleRate: 48_000, channels: 1 },
      ],
      mime: 'video/mp4; codecs="avc1.42c01e,mp4a.40.2"',
      timescale: 90_000,
      unsupported: [],
    });
  });

  test('call sound alone audio/mp4, and nothing nothing', () => {
    expect(streamMessage('a', [aacTrack], []).mime).toBe('audio/mp4; codecs="mp4a.40.2"');
    expect(streamMessage('a', [], []).mime).toBe('');
  });

  test('from a page are pause, resume and ping; anything else is none', () => {
    expect(parseClientMessage('{"type":"pause","more":1}')).toEqual({ type: 'pause' });
    expect(parseClientMessage('{"type":"resume"}')).toEqual({ type: 'resume' });
    expect(parseClientMessage('{"type":"ping","t":12.5}')).toEqual({ type: 'ping', t: 12.5 });
    for (const text of [
      '',
      '{',
      'null',
      '7',
      '[]',
      '{"type":"ping"}',
      '{"type":"ping","t":"1"}',
      '{"type":"stop"}',
    ]) {
      expect(parseClientMessage(text)).toBeUndefined();
    }
  });
});
