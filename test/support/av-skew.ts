import { Fmp4Writer } from '#containers/fmp4/writer.ts';
import { RtspFeedWriter } from '#feeds/rtp/feed-writer.ts';
import { defaultFeedLimits, type FeedWriter } from '#hub/feed.ts';
import { Hub } from '#hub/hub.ts';
import { StreamClock } from '#media/clock-mapping.ts';
import { isVideo, type Track } from '#media/track.ts';
import { parseRtcp } from '#protocols/rtcp/packet.ts';
import { parseRtp } from '#protocols/rtp/packet.ts';
import { RtpTrackReceiver } from '#protocols/rtp/track-receiver.ts';
import { RtspParser } from '#protocols/rtsp/parser.ts';
import { payloadTypeOf } from '#protocols/sdp/build.ts';
import { parseSdp } from '#protocols/sdp/sdp.ts';
import { trackFromMedia } from '#protocols/sdp/tracks.ts';
import { VirtualClock } from '#util/clock.ts';
import { FaultCamera } from './fault-camera/camera.ts';
import { numberOf } from './fault-camera/clip.ts';
import type { FaultCameraOptions } from './fault-camera/options.ts';
import { readSamples } from './fmp4-reader.ts';

/** What a reader saw of one unit: `shown` is where it plays it, ms on its own clock. */
interface Seen {
  readonly captured: number;
  readonly shown: number;
}

/** Where sound stands against the picture, by what one kind of reader saw. */
export interface SkewReport {
  /** Largest distance in ms between where a sound frame plays and where the picture of its capture does. */
  readonly worst: number;
  /** True time of it, s since the camera began. */
  readonly at: number;
  readonly pictures: number;
  readonly sounds: number;
  /** Steps back or standing still of the decoding times (fMP4) or of one track's RTP time (RTSP). */
  readonly backward: number;
}

export interface SkewRun {
  readonly fmp4: SkewReport;
  readonly rtsp: SkewReport;
  readonly clock: StreamClock;
  readonly tracks: readonly Track[];
}

/**
 * Runs a camera of a made-up clip for so many minutes of virtual time into a stream, by the same code as the RTSP door,
 * and compares what readers of fMP4 and of RTSP would play with the camera's truth.
 * @param settleMs the first so many ms are not judged
 */
export function measureSkew(options: FaultCameraOptions, minutes: number, settleMs = 0): SkewRun {
  const camera = new FaultCamera(options);
  // The server's clock is another than the camera's.
  const offset = 12_345;
  const time = new VirtualClock(camera.startedAt + offset);
  const hub = new Hub({ clock: time });
  const clock = new StreamClock();
  const medias = parseSdp(camera.sdp).medias;
  const tracks = medias.map((media, id) => {
    const track = trackFromMedia(media, id);
    if ('unsupported' in track) throw new Error(track.unsupported);
    return track;
  });
  const publication = hub.publish('camera', { id: 'camera', door: 'test', remote: '' }, tracks, {
    onClose() {},
  });
  const receivers = tracks.map(
    (track, i) =>
      new RtpTrackReceiver({
        media: medias[i]!,
        track,
        clock,
        onUnit: (unit) => publication.write(unit),
        onTrack: (changed) => publication.changeTrack(changed),
      }),
  );
  const truth = new Truth(camera.startedAt + settleMs);
  const ids = tracks.map(({ id }) => id);
  publication.stream.feed('fmp4', ids, () => fmp4Probe(tracks, truth));
  publication.stream.feed('rtsp', ids, () => rtspProbe(tracks, truth));
  for (const event of camera.until(minutes * 60_000)) {
    if (event.kind !== 'rtp' && event.kind !== 'rtcp') break;
    const now = camera.startedAt + offset + event.at;
    time.advance(now - time.now());
    if (event.unit) truth.know(event.unit.track === 'video', event.unit.number, event.unit.captured);
    if (event.kind === 'rtp') receivers[event.track]?.receiveRtp(event.bytes, now);
    else receivers[event.track]?.receiveRtcp(event.bytes, now);
  }
  hub.close('over');
  return { fmp4: truth.fmp4.report(camera), rtsp: truth.rtsp.report(camera), clock, tracks };
}

export class Truth {
  readonly fmp4: Played;
  readonly rtsp: Played;
  readonly #captured: [number[], number[]] = [[], []];

  constructor(judgedFrom: number) {
    this.fmp4 = new Played(judgedFrom);
    this.rtsp = new Played(judgedFrom);
  }

  know(video: boolean, number: number, captured: number): void {
    this.#captured[video ? 0 : 1][number] = captured;
  }

  captured(video: boolean, bytes: Buffer): number | undefined {
    return this.#captured[video ? 0 : 1][numberOf(bytes)];
  }
}

class Played {
  readonly video: Seen[] = [];
  readonly audio: Seen[] = [];
  backward = 0;
  readonly #judgedFrom: number;

  constructor(judgedFrom: number) {
    this.#judgedFrom = judgedFrom;
  }

  report(camera: { readonly startedAt: number }): SkewReport {
    let worst = 0;
    let at = 0;
    let v = 0;
    for (const sound of this.audio) {
      while (v + 2 < this.video.length && this.video[v + 1]!.captured <= sound.captured) v++;
      const [a, b] = [this.video[v], this.video[v + 1]];
      // Only between two pictures that follow each other it is known where the picture is.
      if (!a || !b || sound.captured < a.captured || b.captured - a.captured > 500) continue;
      if (sound.captured < this.#judgedFrom) continue;
      // Where timestamps jump, a player of fMP4 jumps along between two pictures.
      if (Math.abs(b.shown - a.shown - (b.captured - a.captured)) > 500) continue;
      const share = (sound.captured - a.captured) / (b.captured - a.captured);
      const skew = sound.shown - (a.shown + share * (b.shown - a.shown));
      if (Math.abs(skew) <= Math.abs(worst)) continue;
      worst = skew;
      at = (sound.captured - camera.startedAt) / 1000;
    }
    return { worst, at, pictures: this.video.length, sounds: this.audio.length, backward: this.backward };
  }
}

export function fmp4Probe(tracks: readonly Track[], truth: Truth): FeedWriter {
  const writer = new Fmp4Writer(tracks);
  const ends = new Map<number, number>();
  return {
    write(unit, emit) {
      writer.write(unit, (chunk) => {
        emit(chunk);
        const track = tracks.find(({ id }) => id === chunk.track);
        if (!track) return;
        for (const sample of readSamples(chunk.bytes)) {
          if (sample.dts < (ends.get(track.id) ?? 0)) truth.fmp4.backward++;
          ends.set(track.id, sample.dts + (isVideo(track) ? 1 : sample.duration));
          // Silence that the writer puts in is shorter than any frame of the clip.
          const captured = sample.data.length > 20 ? truth.captured(isVideo(track), sample.data) : undefined;
          if (captured === undefined) continue;
          const list = isVideo(track) ? truth.fmp4.video : truth.fmp4.audio;
          list.push({ captured, shown: (sample.pts * 1000) / track.clockRate });
        }
      });
    },
  };
}

export function rtspProbe(tracks: readonly Track[], truth: Truth): FeedWriter {
  const writer = new RtspFeedWriter({
    tracks: tracks.map((track, i) => ({
      track,
      payloadType: payloadTypeOf(track)!,
      channels: [2 * i, 2 * i + 1],
      sequence: { ssrc: i + 1, next: 0 },
    })),
    limits: defaultFeedLimits,
    cname: 'test',
  });
  const parser = new RtspParser();
  const reports = new Map<number, { ntp: number; rtp: number }>();
  const last = new Map<number, number>();
  return {
    write(unit, emit) {
      writer.write(unit, (chunk) => {
        emit(chunk);
        parser.push(chunk.bytes);
        for (let message = parser.next(); message; message = parser.next()) {
          if (message.kind !== 'interleaved') continue;
          const index = message.channel >> 1;
          const track = tracks[index]!;
          if (message.channel % 2 === 1) {
            const [report] = parseRtcp(message.payload);
            if (report?.type === 'sender-report' && report.ntp !== undefined)
              reports.set(index, { ntp: report.ntp, rtp: report.rtpTimestamp });
            continue;
          }
          const packet = parseRtp(message.payload)!;
          const report = reports.get(index);
          if (!packet.marker && isVideo(track)) continue;
          const before = last.get(index);
          if (before !== undefined && ((packet.timestamp - before) | 0) <= 0) truth.rtsp.backward++;
          last.set(index, packet.timestamp);
          const captured = truth.captured(isVideo(track), packet.payload);
          if (!report || captured === undefined) continue;
          const shown = report.ntp + (((packet.timestamp - report.rtp) | 0) * 1000) / track.clockRate;
          (isVideo(track) ? truth.rtsp.video : truth.rtsp.audio).push({ captured, shown });
        }
      });
    },
  };
}
