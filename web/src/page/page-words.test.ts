import i18next from 'i18next';
import { beforeAll, describe, expect, it } from 'vitest';
import errors from '../../../docs/errors.md?raw';
import { preferred } from '../language.ts';
import en from '../locales/en.json' with { type: 'json' };
import zhCN from '../locales/zh-CN.json' with { type: 'json' };
import type { PlayerSnapshot } from '../player/snapshot.ts';
import { formatBytes, formatChannels, formatClock, formatFps, formatMs, formatSpan } from './format.ts';
import { reasonWords } from './reason.ts';
import { stateWords } from './state-words.ts';
import { formatUrl, parseUrl } from './url-state.ts';
import { setbackWords } from './way-words.ts';

const words = i18next.createInstance();
const english = words.getFixedT('en');
const chinese = words.getFixedT('zh-CN');

beforeAll(async () => {
  const resources = { en: { translation: en }, 'zh-CN': { translation: zhCN } };
  await words.init({ resources, lng: 'en', interpolation: { escapeValue: false } });
});

function snapshot(change: Partial<PlayerSnapshot>): PlayerSnapshot {
  return {
    phase: 'live',
    source: { kind: 'open' },
    rung: 'webrtc',
    trying: [],
    setbacks: [],
    isExhausted: false,
    picture: true,
    ratio: 16 / 9,
    fps: 25,
    latencyMs: 240,
    targetMs: 200,
    settled: true,
    drops: { video: 0, audio: 0, page: 0 },
    results: { rate: 0, p50Ms: undefined, p95Ms: undefined, due: 0, shown: 0 },
    runs: [],
    tracks: [{ id: 0, kind: 'video', codec: 'h264', codecString: 'avc1.42c01e' }],
    unsupported: [],
    muted: true,
    soundBlocked: false,
    level: undefined,
    error: undefined,
    ...change,
  };
}

describe('stateWords', () => {
  it('says the latency of a live tile and nothing more', () => {
    const words = stateWords(snapshot({}), 0);
    expect(words).toMatchObject({ tone: 'good', shortValues: { latency: '240 ms' } });
    expect(words.long).toBeUndefined();
  });

  it('explains why there is no picture where there is only sound', () => {
    const tracks = [{ id: 0, kind: 'audio', codec: 'aac', codecString: 'mp4a.40.2' }] as const;
    expect(stateWords(snapshot({ tracks, picture: false }), 0)).toMatchObject({
      long: 'state.soundOnly',
      overPicture: false,
    });
  });

  it('says why the source of a stream does not run, whatever the socket waits for', () => {
    const source = { kind: 'waiting', for: 'publisher', reason: 'Nobody is publishing "cam" yet.' } as const;
    const connecting = snapshot({ phase: 'connecting', source, picture: false });
    const letter = { reason: 'letter.mp4 is no media file.', failed: true };
    expect(stateWords(connecting, 0, letter)).toMatchObject({
      tone: 'bad',
      short: 'state.failed',
      long: 'state.sourceFailed',
      longValues: { reason: letter.reason },
    });
    const camera = { reason: 'rtsp://camera/ cannot be reached.', failed: false };
    expect(stateWords(connecting, 0, camera)).toMatchObject({
      tone: 'busy',
      long: 'state.waitingFor',
      longValues: { reason: camera.reason },
    });
  });

  it('counts down while a stream is held', () => {
    const source = { kind: 'held', since: 1_000, seconds: 15 } as const;
    const words = stateWords(snapshot({ phase: 'held', source }), 6_000);
    expect(words).toMatchObject({ tone: 'warning', longValues: { seconds: 10 }, overPicture: true });
  });

  it('names the codec that cannot be played, and offers to try again', () => {
    const setback = { kind: 'codec', media: 'video', codec: 'H.265' } as const;
    const setbacks = [
      { rung: 'webrtc', setback: { kind: 'codec' } } as const,
      { rung: 'mse', setback } as const,
    ];
    const failed = { phase: 'failed', rung: undefined, isExhausted: true } as const;
    const words = stateWords(snapshot({ ...failed, setbacks }), 0);
    expect(words).toMatchObject({ tone: 'bad', retry: true, longValues: { codec: 'H.265' } });
    expect(stateWords(snapshot(failed), 0)).toMatchObject({ long: 'state.noWay', retry: true });
  });

  it('says in the language of the page what the server waits for, and passes on what only the server knows', () => {
    const words = (waitsFor: 'publisher' | 'source' | 'keyframe') => {
      const source = { kind: 'waiting', for: waitsFor, reason: '"live" is being fetched.' } as const;
      return stateWords(snapshot({ phase: 'connecting', source }), 0);
    };
    expect(words('publisher').long).toBe('state.waitingPublisher');
    expect(words('keyframe').long).toBe('state.waitingPicture');
    expect(words('source')).toMatchObject({
      long: 'state.waitingFor',
      longValues: { reason: '"live" is being fetched.' },
    });
  });

  it('has words for every phase', () => {
    for (const phase of ['connecting', 'live', 'behind', 'held', 'lost', 'failed'] as const) {
      const words = stateWords(snapshot({ phase }), 0);
      for (const key of [words.short, words.long ?? words.short]) {
        expect(en.state, key).toHaveProperty(key.replace('state.', ''));
      }
    }
  });
});

describe('the words for a way that is not taken', () => {
  it('name the codec, and pass on what only the server knows', () => {
    const sound = { kind: 'sound', codec: 'aac' } as const;
    expect(setbackWords(sound, english)).toBe('The AAC sound does not go this way.');
    expect(setbackWords({ kind: 'codec', codec: 'H.265' }, chinese)).toContain('H.265');
    const full = { kind: 'refused', message: 'The server is full.' } as const;
    expect(setbackWords(full, chinese)).toBe('The server is full.');
    expect(setbackWords({ ...full, code: 'WEBRTC_FULL' }, chinese)).toBe(zhCN.reason.WEBRTC_FULL);
  });

  it('are there for every reason', () => {
    const kinds = [
      'missing',
      'codec',
      'udp',
      'socket',
      'no-picture',
      'broken',
      'stalled',
      'garbled',
      'far',
      'unmarked',
    ] as const;
    for (const kind of kinds) expect(setbackWords({ kind }, english), kind).toMatch(/^[A-Z].*\.$/);
  });
});

describe('numbers', () => {
  it('are short and keep their unit', () => {
    expect([formatMs(undefined), formatMs(-3), formatMs(237), formatMs(1_250)]).toEqual([
      '–',
      '0 ms',
      '240 ms',
      '1.3 s',
    ]);
    expect([formatFps(0), formatFps(4.96), formatFps(24.98)]).toEqual(['0.0', '5.0', '25']);
    expect([formatBytes(0), formatBytes(999), formatBytes(1_600), formatBytes(2.5e9)]).toEqual([
      '0 B',
      '999 B',
      '1.6 kB',
      '2.5 GB',
    ]);
    const spans = [42_000, 185_000, 7_800_000, 442_800_000];
    expect(spans.map((ms) => formatSpan(ms, english))).toEqual([
      '42 s',
      '3 min 5 s',
      '2 h 10 min',
      '5 d 3 h',
    ]);
    expect(spans.map((ms) => formatSpan(ms, chinese))).toEqual([
      '42 秒',
      '3 分 5 秒',
      '2 小时 10 分',
      '5 天 3 小时',
    ]);
  });

  it('of channels and clocks are words where people have words for them', () => {
    expect([1, 2, 6].map((n) => formatChannels(n, english))).toEqual(['mono', 'stereo', '6 ch']);
    expect([1, 2, 6].map((n) => formatChannels(n, chinese))).toEqual(['单声道', '立体声', '6 声道']);
    const reports = { source: 'sender-report', skewPpm: 12, lagMs: 0 } as const;
    expect(formatClock(reports, english)).toBe('Sound clock: 12 ppm slow (by sender reports)');
    expect(formatClock(reports, chinese)).toBe('声音时钟：慢 12 ppm（据发送者报告）');
    expect(formatClock({ ...reports, skewPpm: -40, source: 'arrival' }, english)).toMatch(
      /40 ppm fast .*arrival/,
    );
    expect(formatClock({ ...reports, skewPpm: -0.4 }, english)).toMatch(/±0 ppm/);
  });
});

describe('the reason why something does not run', () => {
  const reason = 'rtsp://camera/ cannot be reached.';

  it('is said in the language of the page', () => {
    expect(reasonWords({ reason, code: 'RTSP_UNREACHABLE' }, english)).toBe(en.reason.RTSP_UNREACHABLE);
    expect(reasonWords({ reason, code: 'RTSP_UNREACHABLE' }, chinese)).toBe(zhCN.reason.RTSP_UNREACHABLE);
  });

  it("is the server's own sentence where the page does not know its code", () => {
    expect(reasonWords({ reason, code: 'NEWER_THAN_THE_PAGE' }, chinese)).toBe(reason);
    expect(reasonWords({ reason }, chinese)).toBe(reason);
  });

  it('has words for no code that the server does not give', () => {
    const codes = new Set([...errors.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map((match) => match[1]));
    expect(Object.keys(en.reason).filter((code) => !codes.has(code))).toEqual([]);
  });
});

describe('the address', () => {
  it('says stream, mode and way, and comes back the same', () => {
    const state = { stream: 'yard/gate 1', mode: 'live', via: 'mse' } as const;
    expect(formatUrl(state)).toBe('/?stream=yard/gate%201&mode=live&via=mse');
    expect(parseUrl(formatUrl(state).slice(1))).toEqual(state);
  });

  it('is empty where everything is as by default', () => {
    expect(formatUrl({ stream: undefined, mode: 'in-step', via: undefined })).toBe('/');
    const nothing = { stream: undefined, mode: 'in-step', via: undefined };
    expect(parseUrl('?mode=nonsense&via=pigeon')).toEqual(nothing);
  });
});

describe('the language', () => {
  it('is the first one of the browser that the page speaks, else English', () => {
    expect(preferred(['de-DE', 'zh-TW', 'en'])).toBe('zh-CN');
    expect(preferred(['de'])).toBe('en');
  });
});
