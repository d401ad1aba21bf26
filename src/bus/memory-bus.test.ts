import { afterEach, describe, expect, it } from 'vitest';
import { setListenerErrorHandler } from '#util/emitter.ts';
import { MemoryBus } from './memory-bus.ts';

interface Topics {
  results: { pts: number };
  alarms: string;
}

afterEach(() => setListenerErrorHandler(() => {}));

describe('MemoryBus', () => {
  it('hands a message to the listeners of exactly that topic', () => {
    const bus = new MemoryBus<Topics>();
    const gate: number[] = [];
    const yard: number[] = [];
    bus.subscribe('results/yard/gate-1', (result) => gate.push(result.pts));
    bus.subscribe('results/yard', (result) => yard.push(result.pts));
    bus.publish('results/yard/gate-1', { pts: 90 });
    bus.publish('results/nobody', { pts: 1 });
    expect([gate, yard]).toEqual([[90], []]);
  });

  it('counts the listeners of a topic and forgets those that left', () => {
    const bus = new MemoryBus<Topics>();
    const listener = () => {};
    const leave = bus.subscribe('alarms/a', listener);
    bus.subscribe('alarms/a', listener);
    expect(bus.subscribers('alarms/a')).toBe(2);
    leave();
    leave();
    expect(bus.subscribers('alarms/a')).toBe(1);
    bus.close();
    expect(bus.subscribers('alarms/a')).toBe(0);
  });

  it('tells when the first listener of a topic comes and the last one leaves', () => {
    const bus = new MemoryBus<Topics>();
    const told: boolean[] = [];
    const forget = bus.watch('alarms/a', (wanted) => told.push(wanted));
    const first = bus.subscribe('alarms/a', () => {});
    const second = bus.subscribe('alarms/a', () => {});
    bus.subscribe('alarms/b', () => {});
    first();
    expect(told).toEqual([true]);
    second();
    second();
    expect(told).toEqual([true, false]);
    forget();
    bus.subscribe('alarms/a', () => {});
    expect(told).toEqual([true, false]);
  });

  it('keeps a failing listener from stopping the others and the publisher', () => {
    const faults: unknown[] = [];
    setListenerErrorHandler((error) => faults.push(error));
    const bus = new MemoryBus<Topics>();
    const heard: string[] = [];
    bus.subscribe('alarms/a', () => {
      throw new Error('broken');
    });
    bus.subscribe('alarms/a', (alarm) => heard.push(alarm));
    bus.publish('alarms/a', 'smoke');
    expect(heard).toEqual(['smoke']);
    expect(faults).toHaveLength(1);
  });
});
