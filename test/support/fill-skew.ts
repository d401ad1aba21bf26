import { Composition } from '#hub/composition.ts';
import { Hub } from '#hub/hub.ts';
import type { Publishing } from '#hub/publication.ts';
import { StreamClock } from '#media/clock-mapping.ts';
import type { Track } from '#media/track.ts';
import { RtpTrackReceiver } from '#protocols/rtp/track-receiver.ts';
import { parseSdp } from '#protocols/sdp/sdp.ts';
import { trackFromMedia } from '#protocols/sdp/tracks.ts';
import { VirtualClock } from '#util/clock.ts';
import { fmp4Probe, rtspProbe, type SkewReport, Truth } from './av-skew.ts';
import { type CameraEvent, FaultCamera } from './fault-camera/camera.ts';
import { type CameraClip, madeUpClip } from './fault-camera/clip.ts';
import type { FaultCameraOptions } from './fault-camera/options.ts';
import { fakeReader } from './readers.ts';

/** A camera without sound. */
export const pictureOnly: CameraClip = madeUpClip({ audio: 'none' });

/** A microphone. */
export const soundOnly: CameraClip = (() => {
  const { tracks, units, ...clip } = madeUpClip();
  const audio = tracks.filter(({ format }) => format.kind === 'audio');
  return { ...clip, tracks: audio, units: units.filter(({ track }) => audio.includes(track)) };
})();

type Faults = Omit<FaultCameraOptions, 'clip' | 'startedAt'>;

/** One connection to a camera of its own: when it begins, and when it ends, ms of true time. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs?: number;
  readonly faults?: Faults;
}

interface Connection {
  readonly camera: FaultCamera;
  readonly until: number;
  readonly where: 'main' | 'fill';
  next: CameraEvent | undefined;
  receive: ((event: Packet) => void) | undefined;
  close: () => void;
}

type Packet = Extract<CameraEvent, { readonly kind: 'rtp' | 'rtcp' }>;

const BEGAN = 1_790_000_000_000;

/**
 * Puts the picture of one camera and the sound of another together in one stream, by the same code as RTSP sources, for so
 * long of virtual time, and compares what readers of fMP4 and RTSP would play with the truth of both cameras.
 * @param merged both publish streams of their own, which a composition merges; else the sound is a second source
 * @param serverAheadMs the server's clock against the true one
 */
export function measureFillSkew(options: {
  readonly pictures: readonly Span[];
  readonly sounds: readonly Span[];
  readonly forMs: number;
  readonly settleMs?: number;
  readonly serverAheadMs?: number;
  readonly merged?: boolean;
}): { readonly fmp4: SkewReport; readonly rtsp: SkewReport } {
  const { forMs, settleMs = 0, serverAheadMs: ahead = 70 } = options;
  const time = new VirtualClock(BEGAN + ahead);
  const hub = new Hub({ clock: time });
  if (options.merged) {
    const parts = [
      { stream: 'main', kind: 'video' },
      { stream: 'fill', kind: 'audio' },
    ] as const;
    new Composition({ name: 'yard', parts }, { hub, clock: time, onState: () => {} });
  }
  const truth = new Truth(BEGAN + settleMs);
  const began = ({ fromMs, untilMs, faults }: Span, where: Connection['where']): Connection => {
    const clip = where === 'main' ? pictureOnly : soundOnly;
    const camera = new FaultCamera({ ...faults, clip, startedAt: BEGAN + fromMs });
    const until = BEGAN + (untilMs ?? Number.POSITIVE_INFINITY);
    return { camera, until, where, next: camera.next(), receive: undefined, close: () => {} };
  };
  const connections = [
    ...options.pictures.map((span) => began(span, 'main')),
    ...options.sounds.map((span) => began(span, 'fill')),
  ];
  // Ids of a stream whose picture comes first: the sound gets the next one.
  const [picture, sound] = [pictureOnly.tracks[0]!, { ...soundOnly.tracks[0]!, id: 1 }];
  const at = ({ camera, next }: Connection) => (next ? camera.startedAt + next.at : Number.POSITIVE_INFINITY);
  for (;;) {
    const open = connections.filter(({ next }) => next);
    const first = open.toSorted((a, b) => at(a) - at(b))[0];
    if (!first || at(first) >= BEGAN + forMs) break;
    const event = first.next!;
    time.advance(at(first) + ahead - time.now());
    const packet = 'bytes' in event ? event : undefined;
    if (!packet || at(first) >= first.until) {
      first.close();
      first.next = undefined;
      continue;
    }
    if (!first.receive) {
      if (options.merged) publish(first, hub, first.where, time);
      else publish(first, first.where === 'main' ? hub : hub.fills, 'yard', time);
      const stream = hub.get('yard');
      if (stream && stream.feeds.length === 0) {
        for (const [key, writer] of [
          ['fmp4', fmp4Probe([picture, sound], truth)],
          ['rtsp', rtspProbe([picture, sound], truth)],
        ] as const)
          stream.feed(key, [0, 1], () => writer).attach(fakeReader({ clock: time }).reader);
      }
    }
    const { unit } = packet;
    if (unit) truth.know(unit.track === 'video', unit.number, unit.captured);
    first.receive?.(packet);
    first.next = first.camera.next();
  }
  hub.close('over');
  const base = { startedAt: BEGAN };
  return { fmp4: truth.fmp4.report(base), rtsp: truth.rtsp.report(base) };
}

function publish(connection: Connection, where: Publishing, name: string, time: VirtualClock): void {
  const { medias } = parseSdp(connection.camera.sdp);
  const tracks = medias.map((media, id): Track => {
    const track = trackFromMedia(media, id);
    if ('unsupported' in track) throw new Error(track.unsupported);
    return track;
  });
  const clock = new StreamClock();
  const receivers = tracks.map(
    (track, n) =>
      new RtpTrackReceiver({
        media: medias[n]!,
        track,
        clock,
        onUnit: (unit) => publication.write(unit),
        onTrack: (changed) => publication.changeTrack(changed),
      }),
  );
  const publication = where.publish(name, { id: 'camera', door: 'test', remote: '' }, tracks, {
    onClose() {},
    clocks: () => receivers.map((receiver) => ({ track: receiver.track.id, ...receiver.clock })),
  });
  connection.receive = ({ kind, track, bytes }) => {
    if (kind === 'rtp') receivers[track]?.receiveRtp(bytes, time.now());
    else receivers[track]?.receiveRtcp(bytes, time.now());
  };
  connection.close = () => publication.close('The camera is off.');
}
