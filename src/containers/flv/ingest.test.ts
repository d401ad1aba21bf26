import { describe, expect, it } from 'vitest';
import { h265Format } from '#codecs/h265.ts';
import { Hub } from '#hub/hub.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { VideoTrack } from '#media/track.ts';
import { writeAmf0 } from '#util/amf0.ts';
import { VirtualClock } from '#util/clock.ts';
import {
  ac3Frame,
  ac3Track,
  av1Keyframe,
  av1Track,
  vp8Keyframe,
  vp8Track,
  vp9Keyframe,
  vp9Track,
} from '../../../test/support/coded-samples.ts';
import { aacTrack, opusTrack } from '../../../test/support/fmp4-units.ts';
import { FlvIngest } from './ingest.ts';
import { FlvTagType, sequenceHeader, unitBody } from './write.ts';
import { FlvWriter, type TagFraming } from './writer.ts';

const sets = [
  '40010c01ffff01600000030090000003000003005d959809',
  '42010101600000030090000003000003005da00280802d165959a4932bffc000c0011a020000030002000003003210',
  '4401c172b46240',
].map((digits) => Buffer.from(digits, 'hex'));
const h265Track: VideoTrack = { id: 0, clockRate: 90_000, format: h265Format(sets) };
const slice = Buffer.from('2601aabb', 'hex');
const picture: AccessUnit = { track: h265Track, pts: 0, dts: 0, keyframe: true, ntp: 0, payload: [slice] };

function open() {
  const clock = new VirtualClock();
  const hub = new Hub({ clock });
  const publisher = { id: 'p', door: 'rtmp', remote: '' };
  const ingest: FlvIngest = new FlvIngest({
    clock,
    publish: (tracks) =>
      hub.publish('live', publisher, tracks, { onClose: () => {}, clocks: () => ingest.clocks }),
  });
  const units: AccessUnit[] = [];
  hub.events.on('streamAdded', (stream) => {
    const ids = stream.tracks.map(({ id }) => id);
    stream.feed('test', ids, () => ({ write: (unit) => void units.push(unit) }));
  });
  const send = (type: number, timestamp: number, parts: readonly Buffer[]) =>
    ingest.receive({ type, timestamp, payload: Buffer.concat(parts) });
  const video = (timestamp: number, composition = 0) =>
    send(FlvTagType.video, timestamp, unitBody(picture, composition)!);
  return { clock, hub, units, send, video };
}

describe('what a publisher sends in FLV', () => {
  it('becomes a stream of H.265 and Opus, from the tags of Enhanced RTMP, exactly in step', () => {
    const { clock, hub, units, send, video } = open();
    const opus: AccessUnit = { ...picture, track: opusTrack, payload: [Buffer.from([0xfc, 1])] };
    send(FlvTagType.video, 1000, sequenceHeader(h265Track)!);
    send(FlvTagType.audio, 1000, sequenceHeader(opusTrack)!);
    for (let n = 0; n < 10; n++) {
      video(1000 + n * 40, 80);
      send(FlvTagType.audio, 1000 + n * 40, unitBody(opus, 0)!);
      clock.advance(40);
    }
    expect(hub.get('live')!.tracks.map(({ format }) => format.codec)).toEqual(['h265', 'opus']);
    const pictures = units.filter(({ track }) => track.format.kind === 'video');
    const sounds = units.filter(({ track }) => track.format.kind === 'audio');
    expect(pictures.at(-1)).toMatchObject({ pts: 1440 * 90, dts: 1360 * 90, keyframe: true });
    expect(pictures.at(-1)!.payload.at(-1)).toEqual(slice);
    expect(sounds.at(-1)!.pts).toBe(1360 * 48);
    expect(pictures.at(-1)!.ntp - sounds.at(-1)!.ntp).toBeCloseTo(80, 1);
  });

  it.each([
    ['av1', av1Track, av1Keyframe],
    ['vp9', vp9Track, [vp9Keyframe]],
    ['vp8', vp8Track, [vp8Keyframe]],
  ] as const)(
    'becomes a stream of %s and AC-3, with a configuration in front and without',
    (codec, track, payload) => {
      for (const isConfigured of [true, false]) {
        const { clock, hub, units, send } = open();
        const keyframe: AccessUnit = { ...picture, track, payload };
        const frame: AccessUnit = { ...picture, track: ac3Track, payload: [ac3Frame] };
        if (isConfigured) send(FlvTagType.video, 0, sequenceHeader(track)!);
        for (let n = 0; n < 10; n++) {
          send(FlvTagType.video, n * 32, unitBody(keyframe, 0)!);
          send(FlvTagType.audio, n * 32, unitBody(frame, 0)!);
          clock.advance(32);
        }
        const { tracks } = hub.get('live')!;
        expect(tracks.map(({ format }) => format.codec)).toEqual([codec, 'ac3']);
        expect(tracks[0]!.format).toEqual(track.format);
        expect(tracks[1]).toMatchObject({ clockRate: 48_000, format: ac3Track.format });
        const [last] = units.filter((unit) => unit.track.format.kind === 'video').slice(-1);
        expect(last).toMatchObject({ pts: 288 * 90, dts: 288 * 90, keyframe: true, payload });
        expect(units.at(-1)).toMatchObject({ pts: 9 * 1536, payload: [ac3Frame] });
      }
    },
  );

  it('is published after a second without sound, and gets its sound when that comes late', () => {
    const { clock, hub, send, video } = open();
    send(FlvTagType.video, 0, sequenceHeader(h265Track)!);
    for (let n = 0; n < 25; n++) {
      video(n * 40);
      expect(hub.get('live')).toBeUndefined();
      clock.advance(40);
    }
    video(1000);
    expect(hub.get('live')!.tracks).toHaveLength(1);
    send(FlvTagType.audio, 1040, sequenceHeader(aacTrack)!);
    expect(hub.get('live')!.tracks.map(({ format }) => format.codec)).toEqual(['h265', 'aac']);
  });

  it.each([32, 24])('keeps its decoding times over the wrap of %i bits', (bits) => {
    const { clock, units, send, video } = open();
    send(FlvTagType.video, 0, sequenceHeader(h265Track)!);
    for (let n = 0; n < 40; n++) {
      video((2 ** bits - 1200 + n * 40) % 2 ** bits);
      clock.advance(40);
    }
    expect(units.at(-1)!.dts).toBe((2 ** bits + 360) * 90);
    expect(units.every(({ dts }, i) => i === 0 || dts > units[i - 1]!.dts)).toBe(true);
  });

  it('was captured when the other side says, where that is Sluice, however late it comes and whoever joins', () => {
    const { clock, hub, units, send } = open();
    const name = `${'x'.repeat(16)}@sluice`;
    const began = clock.now();
    const tags: { type: number; timestamp: number; body: readonly Buffer[] }[] = [];
    const frame: TagFraming = (type, timestamp, body) => {
      tags.push({ type, timestamp, body });
      return Buffer.alloc(0);
    };
    const writer = new FlvWriter([h265Track], frame, { name: () => name, frame });
    const late = 1500;
    clock.advance(late);
    for (let n = 0; n < 500; n++) {
      const ticks = 7_000_000 + n * 3600;
      // Its clock runs a little faster than its timestamps.
      const ntp = began + n * 40.01;
      writer.write({ ...picture, pts: ticks, dts: ticks, keyframe: n % 50 === 0, ntp }, () => {});
      for (const { type, timestamp, body } of tags.splice(0)) send(type, timestamp, body);
      clock.advance(40);
    }
    const errors = units.map(({ ntp }, n) => ntp - (began + n * 40.01));
    expect(errors.length).toBeGreaterThan(490);
    for (const error of errors) expect(Math.abs(error)).toBeLessThan(5);
    expect(hub.get('live')!.clocks).toMatchObject([{ source: 'sender-report', name }]);
    writer.greeting();
    expect(tags).toHaveLength(1);
  });

  it('is not told its time by script data of any other kind', () => {
    const { clock, hub, send, video } = open();
    for (const about of [
      { clock: 'localhost', time: 5 },
      { clock: 7, time: 5 },
      { clock: `${'x'.repeat(16)}@sluice`, time: Number.POSITIVE_INFINITY },
      'x',
    ])
      send(FlvTagType.script, 0, [writeAmf0('onCaptureTime', about)]);
    send(FlvTagType.script, 0, [writeAmf0('onCaptureTime')]);
    send(FlvTagType.video, 0, sequenceHeader(h265Track)!);
    for (let n = 0; n < 30; n++) {
      video(n * 40);
      clock.advance(40);
    }
    expect(hub.get('live')!.clocks).toEqual([]);
  });
});
