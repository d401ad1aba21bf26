import { expect, test } from 'vitest';
import { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import { Composition, type CompositionSpec } from '#hub/composition.ts';
import type { Hub } from '#hub/hub.ts';
import { RtmpServer } from '#servers/rtmp/server.ts';
import { Forwards } from '#sinks/forwards.ts';
import { rtmpForward } from '#sinks/rtmp/forward.ts';
import { rtspForward } from '#sinks/rtsp/forward.ts';
import { systemClock } from '#util/clock.ts';
import { BARCODE_FLASH, beepDelays, readMarks } from '../support/av-marks.ts';
import { barcodeClip } from '../support/media.ts';
import { publish, published, startRtsp } from '../support/rtsp.ts';
import { receivedSkew } from '../support/skew.ts';
import { slowRelay } from '../support/slow-relay.ts';
import { eventually } from '../support/sluice.ts';

const SECONDS = 10;
/** Ms between sound and picture that nobody hears. */
const LIMIT = 40;

function compose(hub: Hub, spec: CompositionSpec): Composition {
  return new Composition(spec, { hub, clock: systemClock, onState: () => {} });
}

/** Publishes these streams of a hub at other servers for as long as it is held. */
function forwardAll(hub: Hub, urls: Readonly<Record<string, string>>): Forwards {
  const overRtsp = rtspForward({ hub, sequences: new RtpSequences() });
  const overRtmp = rtmpForward({ hub });
  const trust = { fingerprint: undefined, insecure: false };
  return new Forwards(
    Object.entries(urls).map(([stream, url]) => ({ stream, url, trust })),
    {
      hub,
      opener: (url) => (url.startsWith('rtmp') ? overRtmp : overRtsp),
      onState: () => {},
      random: () => 0,
    },
  );
}

const halves = {
  picture: { name: 'v', parts: [{ stream: 'cam', kind: 'video' }] },
  sound: { name: 'a', parts: [{ stream: 'cam', kind: 'audio' }] },
  merged: {
    name: 'again',
    parts: [
      { stream: 'picture', kind: 'video' },
      { stream: 'sound', kind: 'audio' },
    ],
  },
} as const satisfies Record<string, CompositionSpec>;

test('picture and sound that were split, went different ways and are merged again are in step, whichever is late or begins anew', async () => {
  const clip = await barcodeClip({ seconds: SECONDS, gop: 25 });
  const own = beepDelays(await readMarks(['-i', clip], SECONDS, BARCODE_FLASH));
  expect(own.length).toBeGreaterThan(7);
  const asInTheClip = own.reduce((sum, delay) => sum + delay, 0) / own.length;

  await using camera = await startRtsp({ hub: { holdMs: 15_000 } });
  await using target = await startRtsp({ hub: { holdMs: 15_000 } });
  // As long as an algorithm might take that the picture goes through.
  await using slow = await slowRelay(target.port, 1500);
  await using other = await slowRelay(target.port, 0);
  await using _publisher = publish(clip, camera.url('cam'), -1);
  await published(camera.hub, 'cam');
  await using _picture = compose(camera.hub, halves.picture);
  await using _sound = compose(camera.hub, halves.sound);
  await using merged = compose(target.hub, halves.merged);
  await using _forwards = forwardAll(camera.hub, {
    v: `rtsp://127.0.0.1:${slow.port}/picture`,
    a: `rtsp://127.0.0.1:${other.port}/sound`,
  });
  await published(target.hub, 'again');
  await eventually(() => merged.status.parts.every(({ alignment }) => alignment === 'same'));

  const input = ['-rtsp_transport', 'tcp', '-i', target.url('again')];
  const delayed = await receivedSkew(clip, SECONDS, input);
  console.log('split and merged again, the picture 1.5 s later:', delayed);
  const [picture, sound] = merged.status.parts;
  expect(picture!.delayMs! - sound!.delayMs!).toBeGreaterThan(1200);
  expect(delayed.pictures).toBeGreaterThan(100);
  expect(delayed.sounds).toBeGreaterThan(180);
  expect(delayed.skew).toBeLessThanOrEqual(LIMIT);
  expect(delayed.monotonic).toBe(true);

  // One reader all along: the picture begins anew and comes at once from then on, and then the sound, 800 ms late.
  const reading = readMarks(input, 16, BARCODE_FLASH);
  const count = (n: 0 | 1) => merged.status.parts[n]!.units;
  const from = count(0);
  await eventually(() => count(0) > from + 100);
  slow.delayMs = 0;
  slow.cut();
  await eventually(() => slow.connections === 2);
  const again = count(0);
  await eventually(() => count(0) > again + 75);
  other.delayMs = 800;
  other.cut();
  await eventually(() => other.connections === 2);
  const marks = await reading;
  const delays = beepDelays(marks).map((delay) => delay - asInTheClip);
  console.log(
    'restarted one after the other:',
    marks.flashes.length,
    'flashes,',
    marks.beeps.length,
    'beeps:',
  );
  console.log(delays.map((delay) => delay.toFixed(1)).join(' '), merged.status);
  expect(delays.length).toBeGreaterThan(8);
  // Sound that begins anew within a beep makes that one seem to come late.
  expect(delays.filter((delay) => Math.abs(delay) > LIMIT).length).toBeLessThanOrEqual(1);
  expect(merged.status.parts.map(({ alignment }) => alignment)).toEqual(['same', 'same']);
});

test('halves that went over RTMP from one Sluice to another are in step as well, the sound 2 s late', async () => {
  const clip = await barcodeClip({ seconds: SECONDS, gop: 25 });
  await using camera = await startRtsp({ hub: { holdMs: 15_000 } });
  await using target = await startRtsp({ hub: { holdMs: 15_000 } });
  const log = { info() {}, warn() {}, debug() {} };
  const door = new RtmpServer({ hub: target.hub, host: '127.0.0.1', port: 0, log });
  const { port } = await door.listen();
  await using slow = await slowRelay(port, 2000);
  await using _publisher = publish(clip, camera.url('cam'), -1);
  await published(camera.hub, 'cam');
  await using _picture = compose(camera.hub, halves.picture);
  await using _sound = compose(camera.hub, halves.sound);
  await using merged = compose(target.hub, halves.merged);
  await using _forwards = forwardAll(camera.hub, {
    v: `rtmp://127.0.0.1:${port}/picture`,
    a: `rtmp://127.0.0.1:${slow.port}/sound`,
  });
  await published(target.hub, 'again');
  await eventually(() => merged.status.parts.every(({ alignment }) => alignment === 'same'));
  const seen = await receivedSkew(clip, SECONDS, ['-rtsp_transport', 'tcp', '-i', target.url('again')]);
  console.log('split and merged again over RTMP:', seen);
  const [picture, sound] = merged.status.parts;
  expect(sound!.delayMs! - picture!.delayMs!).toBeGreaterThan(1500);
  expect(seen.pictures).toBeGreaterThan(100);
  expect(seen.sounds).toBeGreaterThan(180);
  expect(seen.skew).toBeLessThanOrEqual(LIMIT);
  await door.close('The test is over.');
});
