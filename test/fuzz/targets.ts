import { findingsOf } from '#algorithms/http/legacy.ts';
import { parseConfig } from '#config/load.ts';
import { parseStreamName } from '#hub/name.ts';
import { decodeMessage, decodeUnit, encodeMessage, encodeUnit } from '#link/framing.ts';
import { decodePicture, encodePicture } from '#link/picture.ts';
import type { Track } from '#media/track.ts';
import { parseDirectives, parseRange, slice, tokenSuffix } from '#servers/hls/request.ts';
import { parseClientMessage } from '#servers/mse/messages.ts';
import { NamedError } from '#util/named-error.ts';
import { aacTrack, h264Track, picture, sound } from '../support/fmp4-units.ts';
import { apiTargets } from './api-targets.ts';
import { clientTarget, publishingTarget } from './client-target.ts';
import { codecTargets } from './codec-targets.ts';
import { jobTargets } from './job-targets.ts';
import { linkTarget } from './link-target.ts';
import { parameterTargets } from './parameter-targets.ts';
import { rtmpTargets } from './rtmp-targets.ts';
import { rtspTargets } from './rtsp-targets.ts';
import type { FuzzTarget } from './run.ts';
import { streamTargets } from './stream-targets.ts';
import { tunnelTarget } from './tunnel-target.ts';
import { webRtcTargets } from './webrtc-targets.ts';

const text = (...lines: string[]) => Buffer.from(lines.join('\n'));

const pictures = [0, 1, 2].map((n) => picture(90_000 + n * 3600, { keyframe: n === 0, size: 700 }));
const frames = (track: Track, step: number) =>
  [0, 1, 2].map((n) => sound(1000 + n * step, { track, size: 40 }));

export const fuzzTargets: readonly FuzzTarget[] = [
  ...webRtcTargets,
  ...rtspTargets,
  ...parameterTargets,
  {
    name: 'link units',
    seeds: () => [...pictures, ...frames(aacTrack, 1024)].map((unit) => encodeUnit(3, unit)),
    open: () => ({ take: (input) => void decodeUnit(input) }),
  },
  {
    name: 'link pictures',
    seeds: () => [
      encodePicture({
        ...{ task: 'task-1', epoch: 2, pts: 90_000, ntp: 1_700_000_000_000, width: 640, height: 360 },
        jpeg: Buffer.from('ffd8ffe000104a464946ffd9', 'hex'),
      }),
    ],
    open: () => ({ take: (input) => void decodePicture(input) }),
  },
  {
    name: 'answers of a service of the old kind',
    seeds: () => [
      text('{ "picture": "data:image/jpeg;base64,/9j/4AAQSkZJRv/Z", "state": { "a": [1] }, "type": "x" }'),
      text('{ "picture": "/9j/4AAQSkZJRv/Z" }'),
    ],
    open: () => ({
      take(input) {
        try {
          findingsOf(input);
        } catch (error) {
          if (!(error instanceof Error) || !error.message.startsWith('answered with ')) throw error;
        }
      },
    }),
  },
  {
    name: 'link texts',
    seeds: () => [
      Buffer.from(encodeMessage({ type: 'tracks', subscription: 1, tracks: [h264Track, aacTrack] })),
    ],
    open: () => ({ take: (input) => void decodeMessage(input.toString()) }),
  },
  linkTarget,
  ...codecTargets,
  ...rtmpTargets,
  clientTarget,
  publishingTarget,
  tunnelTarget,
  {
    name: 'MSE messages',
    seeds: () =>
      ['{"type":"pause"}', '{"type":"ping","t":12.5}', '{"type":"resume"}'].map((one) => Buffer.from(one)),
    open: () => ({ take: (input) => void parseClientMessage(input.toString()) }),
  },
  {
    name: 'HLS requests',
    seeds: () =>
      [
        '_HLS_msn=12&_HLS_part=3&_HLS_skip=YES',
        'token=a%20b&jwt=c',
        'bytes=2-400',
        'Basic YTpi',
        'Bearer x.y.z',
      ].map((one) => Buffer.from(one)),
    open: () => ({
      take(input) {
        const asked = input.toString('latin1');
        const query = new URLSearchParams(asked);
        if (/[\r\n"]/.test(tokenSuffix(query))) throw new Error('A token breaks out of the playlist.');
        const range = parseRange(asked, 1000);
        if (typeof range !== 'string') {
          const cut = slice([Buffer.alloc(400), Buffer.alloc(600)], range.first, range.last);
          if (cut.reduce((sum, { length }) => sum + length, 0) !== range.last - range.first + 1)
            throw new Error('A range has another size than it says.');
        }
        try {
          parseDirectives(query);
        } catch (error) {
          if (!(error instanceof NamedError)) throw error;
        }
      },
    }),
  },
  {
    name: 'configuration',
    share: 0.2,
    seeds: () => [
      text(
        'rtsp:',
        '  port: 8554',
        'streams:',
        '  yard/gate-1:',
        '    source: rtsp://u:p@10.0.0.1/a',
        'log:',
        '  level: info',
      ),
      text(
        'demo: true',
        'host: 127.0.0.1',
        'streams: { a: { source: x.mp4, loop: true, detect: [{ algorithm: people }] } }',
      ),
      text('a: &a [1, 2]', 'b: *a', '? x', ': !!int 3', '---', '...'),
    ],
    open: () => ({
      take: (input) =>
        void parseConfig(input.toString(), '/nowhere/sluice.yml', { streamName: parseStreamName }),
    }),
  },
  ...apiTargets,
  ...jobTargets,
  ...streamTargets,
];
