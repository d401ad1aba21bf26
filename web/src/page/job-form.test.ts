import { describe, expect, it } from 'vitest';
import { jobSettings } from './job-form.ts';

describe('the form of a job', () => {
  it('says what was typed in, and leaves out what is empty or as by default', () => {
    const typed = { input: ' stream:yard ', output: 'rtsp://a/b', loop: false, only: 'both' };
    expect(jobSettings('push', typed)).toEqual({ type: 'push', input: 'stream:yard', output: 'rtsp://a/b' });
    expect(jobSettings('push', { ...typed, only: 'video', loop: true })).toMatchObject({
      noAudio: true,
      loop: true,
    });
    expect(jobSettings('push', { ...typed, only: 'audio' })).toMatchObject({ noVideo: true });
  });

  it('takes one address a line, and numbers as numbers', () => {
    expect(jobSettings('relay', { input: 'a.mp4', outputs: 'rtsp://a/b\n\n rtmp://c/d/e \n' })).toEqual({
      type: 'relay',
      input: 'a.mp4',
      outputs: ['rtsp://a/b', 'rtmp://c/d/e'],
    });
    const merge = { video: 'rtsp://a/b', audio: 'rtsp://a/c', output: 'stream:x', offset: '-40' };
    expect(jobSettings('merge', merge)).toMatchObject({ offset: -40 });
    // What is no number the server refuses in words.
    expect(jobSettings('merge', { ...merge, offset: 'x' })).toMatchObject({ offset: 'x' });
  });

  it('sends nothing of a type that was chosen before', () => {
    expect(
      jobSettings('relay', { input: 'a.mp4', outputs: 'rtsp://a/b', scale: '320x', video: 'h264' }),
    ).toEqual({
      type: 'relay',
      input: 'a.mp4',
      outputs: ['rtsp://a/b'],
    });
  });
});
