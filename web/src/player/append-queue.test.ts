import { describe, expect, it } from 'vitest';
import { AppendQueue } from './append-queue.ts';

const bytes = (...values: number[]): ArrayBuffer => new Uint8Array(values).buffer;

describe('AppendQueue', () => {
  it('joins the fragments of a burst into one append, in order', () => {
    const queue = new AppendQueue();
    queue.pushMedia(bytes(1, 2));
    queue.pushMedia(bytes(3));
    expect(queue.take()).toEqual({ kind: 'media', bytes: new Uint8Array([1, 2, 3]) });
    expect(queue.take()).toBeUndefined();
    expect(queue.bytes).toBe(0);
  });

  it('never joins media over an init segment', () => {
    const queue = new AppendQueue();
    queue.pushMedia(bytes(1));
    queue.pushInit('video/mp4', bytes(9));
    queue.pushMedia(bytes(2));
    expect(queue.take()).toMatchObject({ kind: 'media', bytes: new Uint8Array([1]) });
    expect(queue.take()).toMatchObject({ kind: 'init', mime: 'video/mp4' });
    expect(queue.take()).toMatchObject({ kind: 'media', bytes: new Uint8Array([2]) });
  });

  it('keeps batches to a size that a browser appends without a pause', () => {
    const queue = new AppendQueue();
    for (let i = 0; i < 4; i++) queue.pushMedia(new ArrayBuffer(200 * 1024));
    expect(queue.take()?.bytes.byteLength).toBe(400 * 1024);
  });

  it('takes a fragment that is larger than a batch whole', () => {
    const queue = new AppendQueue();
    queue.pushMedia(new ArrayBuffer(2 * 1024 * 1024));
    expect(queue.take()?.bytes.byteLength).toBe(2 * 1024 * 1024);
  });

  it('gives back what was put back, first', () => {
    const queue = new AppendQueue();
    queue.pushMedia(bytes(1));
    const step = queue.take();
    queue.pushInit('video/mp4', bytes(2));
    if (step) queue.putBack(step);
    expect(queue.take()).toEqual(step);
    expect(queue.take()).toMatchObject({ kind: 'init' });
  });
});
