import { describe, expect, it } from 'vitest';
import { Ladder, type Rung, type Setback, type Standing, type Via } from './ladder.ts';

/** A ladder on virtual time. */
class Climb {
  now = 0;
  readonly ladder: Ladder;

  constructor(via: Via = 'auto', missing: readonly Rung[] = []) {
    const standing: Standing = { setback: { kind: 'missing' }, until: Infinity, failedAt: 0, failures: 1 };
    this.ladder = new Ladder({ via, standings: new Map(missing.map((rung) => [rung, standing])), now: 0 });
  }

  wait(seconds: number): this {
    for (const end = this.now + seconds * 1000; this.now < end; ) {
      this.now += 250;
      this.ladder.update(this.now);
    }
    return this;
  }

  open(rung: Rung): this {
    this.ladder.opened(rung, this.now);
    return this;
  }

  show(rung: Rung): this {
    this.open(rung).ladder.shown(rung, this.now);
    return this;
  }

  fail(rung: Rung, setback: Setback): this {
    this.ladder.failed(rung, setback, this.now);
    return this;
  }

  get running(): string {
    return this.ladder.running.map((rung) => (rung === this.ladder.playing ? `${rung}!` : rung)).join(' ');
  }

  get reasons(): string {
    return this.ladder.setbacks.map(({ rung, setback }) => `${rung} ${setback.kind}`).join(', ');
  }
}

const udp: Setback = { kind: 'udp' };
const broken: Setback = { kind: 'broken' };

describe('the ladder goes down', () => {
  it('from WebRTC, which is tried first, to what works, and says why', () => {
    const climb = new Climb();
    expect(climb.running).toBe('webrtc');
    climb.open('webrtc').fail('webrtc', udp);
    expect(climb.running).toBe('mse');
    climb.show('mse');
    expect(climb.running).toBe('mse!');
    expect(climb.reasons).toBe('webrtc udp');
  });

  it('past what the browser cannot do, without trying it', () => {
    const climb = new Climb('auto', ['webrtc', 'mse']);
    expect(climb.running).toBe('hls');
    climb.show('hls').wait(3_600);
    expect(climb.running).toBe('hls!');
    expect(climb.reasons).toBe('webrtc missing, mse missing');
  });

  it('past LL-HLS too where MSE has no decoder, since they share it', () => {
    const climb = new Climb()
      .fail('webrtc', { kind: 'codec' })
      .fail('mse', { kind: 'codec', codec: 'H.265' });
    expect(climb.running).toBe('mjpeg');
    expect(climb.reasons).toBe('webrtc codec, mse codec, hls codec');
  });

  it('when an opened rung gives no picture in its time', () => {
    const climb = new Climb().open('webrtc').wait(8);
    expect(climb.ladder.standings.get('webrtc')?.setback).toEqual({ kind: 'no-picture' });
    expect(climb.running).toBe('mse');
  });

  it('not while the stream is not there, however long', () => {
    const climb = new Climb().open('webrtc').wait(1);
    climb.ladder.waiting('webrtc');
    expect(climb.wait(3_600).running).toBe('webrtc');
  });

  it('by trying the next rung beside one that is slow, and taking the first that has a picture', () => {
    const climb = new Climb().open('webrtc').wait(1.75);
    expect(climb.running).toBe('webrtc');
    expect(climb.wait(0.5).running).toBe('webrtc mse');
    expect(climb.show('mse').running).toBe('webrtc mse!');
    expect(climb.show('webrtc').running).toBe('webrtc!');
  });

  it('and keeps no worse rung once the better one plays', () => {
    const climb = new Climb().open('webrtc').wait(2.25);
    expect(climb.show('webrtc').running).toBe('webrtc!');
  });

  it('to the last, and then tries again what comes free first', () => {
    const climb = new Climb();
    for (const rung of ['webrtc', 'mse', 'hls', 'mjpeg'] as const) climb.open(rung).fail(rung, broken);
    expect(climb.running).toBe('');
    expect(climb.ladder.isExhausted).toBe(false);
    expect(climb.wait(2.25).running).toBe('webrtc');
  });

  it('no further where nothing can play the stream, until its formats change', () => {
    const climb = new Climb();
    for (const rung of ['webrtc', 'mse', 'hls', 'mjpeg'] as const) climb.fail(rung, { kind: 'codec' });
    expect(climb.wait(3_600).running).toBe('');
    expect(climb.ladder.isExhausted).toBe(true);
    climb.ladder.renewed(climb.now);
    expect(climb.running).toBe('webrtc');
  });
});

describe('a rung that played and breaks', () => {
  it('is begun anew at once, and given up when it breaks again', () => {
    const climb = new Climb().show('webrtc').wait(15).fail('webrtc', broken);
    expect(climb.running).toBe('webrtc');
    climb.open('webrtc').fail('webrtc', udp);
    expect(climb.running).toBe('mse');
  });

  it('is given up at once where it had hardly played, or broke a moment ago', () => {
    expect(new Climb().show('webrtc').wait(5).fail('webrtc', broken).running).toBe('mse');
    const climb = new Climb().show('webrtc').wait(15).fail('webrtc', broken).show('webrtc').wait(15);
    expect(climb.fail('webrtc', { kind: 'stalled' }).running).toBe('mse');
  });

  it('is given up at once where its way cannot show the stream', () => {
    expect(new Climb().show('webrtc').wait(15).fail('webrtc', { kind: 'garbled' }).running).toBe('mse');
  });
});

describe('the ladder comes back up', () => {
  it('after half a minute, beside what plays, which goes on until the better one has a picture', () => {
    const climb = new Climb().fail('webrtc', udp).show('mse').wait(29);
    expect(climb.running).toBe('mse!');
    expect(climb.wait(1.5).running).toBe('webrtc mse!');
    expect(climb.show('webrtc').running).toBe('webrtc!');
    expect(climb.reasons).toBe('');
  });

  it('after twice as long with each failure in a row, and at least every ten minutes', () => {
    const climb = new Climb().fail('webrtc', udp).show('mse');
    const waits: number[] = [];
    for (let attempts = 0; attempts < 7; attempts++) {
      const since = climb.now;
      while (!climb.running.startsWith('webrtc')) climb.wait(1);
      waits.push(Math.round((climb.now - since) / 1000));
      climb.fail('webrtc', udp);
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 600, 600]);
  });

  it('only with another format where sound or codec were against it', () => {
    const climb = new Climb().fail('webrtc', { kind: 'sound', codec: 'aac' }).show('mse').wait(3_600);
    expect(climb.running).toBe('mse!');
    climb.ladder.renewed(climb.now);
    expect(climb.running).toBe('webrtc mse!');
  });

  it('when what was against it is gone', () => {
    const climb = new Climb().show('webrtc').wait(15).fail('webrtc', { kind: 'far' }).show('mse').wait(3_600);
    climb.ladder.forgive('far', climb.now);
    expect(climb.running).toBe('webrtc mse!');
  });

  it('no further with a rung that does not answer', () => {
    const climb = new Climb().fail('webrtc', udp).show('mse').wait(31);
    expect(climb.running).toBe('webrtc mse!');
    expect(climb.wait(20).running).toBe('mse!');
  });

  it('with all its time where the page was hidden meanwhile', () => {
    const climb = new Climb().open('webrtc');
    climb.now += 3_600_000;
    climb.ladder.awake(climb.now);
    expect(climb.wait(1).running).toBe('webrtc');
  });
});

describe('the viewer', () => {
  it('may choose a rung, which takes over with its first picture', () => {
    const climb = new Climb().show('webrtc').wait(10);
    climb.ladder.choose('hls', climb.now);
    expect(climb.running).toBe('hls webrtc!');
    expect(climb.show('hls').running).toBe('hls!');
    expect(climb.wait(3_600).running).toBe('hls!');
  });

  it('gets the best of the others where the chosen one fails, and the chosen one again later', () => {
    const climb = new Climb('hls').open('hls').fail('hls', broken);
    expect(climb.running).toBe('webrtc');
    expect(climb.show('webrtc').reasons).toBe('hls broken');
    expect(climb.wait(31).running).toBe('hls webrtc!');
  });

  it('who wants WebRTC gets it without its sound', () => {
    const climb = new Climb().fail('webrtc', { kind: 'sound', codec: 'aac' }).show('mse');
    climb.ladder.choose('webrtc', climb.now);
    expect(climb.running).toBe('webrtc mse!');
  });

  it('who goes back to the automatic choice has everything tried anew that time may have healed', () => {
    const climb = new Climb().fail('webrtc', udp).show('mse');
    climb.ladder.choose('mse', climb.now);
    expect(climb.running).toBe('mse!');
    climb.ladder.choose('auto', climb.now);
    expect(climb.running).toBe('webrtc mse!');
  });
});
