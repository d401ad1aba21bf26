import { describe, expect, it } from 'vitest';
import { EdgeEnvelope } from './edge-envelope.ts';

describe('EdgeEnvelope', () => {
  it('knows no edge before any media came', () => {
    expect(new EdgeEnvelope().edge(0)).toBeUndefined();
    expect(new EdgeEnvelope().unevenness).toBe(0);
  });

  it('gives an edge that advances with the clock though media comes in portions of a third of a second', () => {
    const envelope = new EdgeEnvelope();
    for (let now = 0; now <= 6_000; now += 300) envelope.observe(now, 1_000 + now / 1000);
    expect(envelope.edge(6_000)).toBeCloseTo(1_006);
    expect(envelope.edge(6_150)).toBeCloseTo(1_006.15);
  });

  it('says how empty the buffer runs between portions', () => {
    const envelope = new EdgeEnvelope();
    for (let now = 0; now <= 6_000; now += 300) envelope.observe(now, now / 1000);
    expect(envelope.unevenness).toBeCloseTo(0.3);
  });

  it('does not take the first burst, everything since the last keyframe, for unevenness', () => {
    const envelope = new EdgeEnvelope();
    envelope.observe(0, 98);
    envelope.observe(10, 100);
    for (let now = 40; now <= 4_000; now += 40) envelope.observe(now, 100 + now / 1000);
    expect(envelope.unevenness).toBeLessThan(0.05);
  });

  it('takes it as the new normal when all media comes later than it once did', () => {
    const envelope = new EdgeEnvelope();
    for (let now = 0; now <= 2_000; now += 40) envelope.observe(now, now / 1000);
    for (let now = 2_500; now <= 16_000; now += 40) envelope.observe(now, now / 1000 - 0.5);
    expect(envelope.edge(16_000)).toBeCloseTo(15.5, 1);
    expect(envelope.unevenness).toBeLessThan(0.05);
  });

  it('forgets what it knew when the timeline goes back', () => {
    const envelope = new EdgeEnvelope();
    for (let now = 0; now <= 2_000; now += 40) envelope.observe(now, 500 + now / 1000);
    envelope.observe(2_040, 3);
    expect(envelope.edge(2_040)).toBeCloseTo(3);
  });
});
