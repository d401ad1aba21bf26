import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beepDelays, readMarks } from '../support/av-marks.ts';
import { TestBrowser } from '../support/browser.ts';
import { lossyUdpRelay } from '../support/lossy-relay.ts';
import { run } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';
import { WATCH_BY_WHEP } from '../support/whep-page.ts';

let server: TestSluice;
let browser: TestBrowser;

beforeAll(async () => {
  server = await sluice('demo: false\n');
  browser = await TestBrowser.launch();
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** The answer as the page is to see it, an expression over `sdp`. */
type Change = string;
const TCP_ONLY: Change = String.raw`sdp.replace(/a=candidate:.* udp .*\r\n/g, '')`;
const through = (port: number): Change => String.raw`sdp.replace(/( udp \d+ [\d.]+) \d+/g, '$1 ${port}')
  .replace(/a=candidate:.* tcp .*\r\n/g, '')`;

/** Opens a page that publishes a moving picture, which flashes once a second, with a sound that beeps then. */
async function publishing(stream: string, change: Change = 'sdp'): Promise<Page> {
  const page = await browser.open(`${server.http}/api/health`);
  await page.evaluate(`(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
    const context = canvas.getContext('2d');
    const audio = new AudioContext();
    const beep = new OscillatorNode(audio, { frequency: 1000 });
    const gain = new GainNode(audio, { gain: 0 });
    const out = new MediaStreamAudioDestinationNode(audio);
    beep.connect(gain).connect(out);
    beep.start();
    setInterval(() => {
      const isMarked = performance.now() % 1000 < 200;
      gain.gain.value = isMarked ? 0.5 : 0.001;
      context.fillStyle = isMarked ? '#fff' : '#000';
      context.fillRect(0, 0, 640, 360);
      // Something that an encoder has to work for, but dark.
      for (let i = 0; !isMarked && i < 150; i++) {
        context.fillStyle = 'rgb(' + [0, 0, 0].map(() => Math.random() * 120) + ')';
        context.fillRect(Math.random() * 640, Math.random() * 360, 40, 40);
      }
    }, 40);
    const pc = new RTCPeerConnection();
    window.publisher = pc;
    for (const track of [...canvas.captureStream(25).getTracks(), ...out.stream.getTracks()])
      pc.addTransceiver(track, { direction: 'sendonly' });
    await pc.setLocalDescription();
    const answer = await fetch('/${stream}/whip', {
      method: 'POST', headers: { 'content-type': 'application/sdp' }, body: pc.localDescription.sdp });
    if (answer.status !== 201) throw new Error(await answer.text());
    window.session = answer.headers.get('location');
    const sdp = await answer.text();
    await pc.setRemoteDescription({ type: 'answer', sdp: ${change} });
  })()`);
  await server.live(stream);
  return page;
}

/** Statistics of a connection of the page, those of one type. */
async function stats(
  page: Page,
  connection: string,
  type: string,
): Promise<Record<string, number | string>[]> {
  return page.evaluate(
    `${connection}.getStats().then((all) => [...all.values()].filter((one) => one.type === '${type}'))`,
  );
}

/** Reads by WHEP until so many pictures were decoded; gives how the media came. */
async function watch(
  page: Page,
  stream: string,
  change: Change = 'sdp',
): Promise<{ protocol: string; energy: number }> {
  await page.evaluate(`(async () => {
    ${WATCH_BY_WHEP}
    const answered = (sdp) => ${change};
    await watchByWhep('/${stream}/whep', { began: (pc) => (window.viewer = pc), answered });
  })()`);
  let all: Record<string, number | string>[] = [];
  const inbound = await eventually(async () => {
    all = await stats(page, 'viewer', 'inbound-rtp');
    const frames = all.find(({ kind }) => kind === 'video')?.['framesDecoded'];
    const energy = all.find(({ kind }) => kind === 'audio')?.['totalAudioEnergy'];
    return Number(frames) > 30 && Number(energy) > 0 ? all : undefined;
  }, 60_000).catch(async (error: Error) => {
    const seen = [
      all,
      await stats(page, 'viewer', 'candidate-pair'),
      await server.get(`/api/streams/${stream}`),
    ];
    throw new Error(`${error.message} ${JSON.stringify(seen)}`, { cause: error });
  });
  const energy = Number(inbound.find(({ kind }) => kind === 'audio')?.['totalAudioEnergy']);
  return { protocol: await protocolOf(page, 'viewer'), energy };
}

/** What the selected way of a connection goes over. */
async function protocolOf(page: Page, connection: string): Promise<string> {
  const [transport] = await stats(page, connection, 'transport');
  const pairs = await stats(page, connection, 'candidate-pair');
  const pair = pairs.find(({ id }) => id === transport?.['selectedCandidatePairId']);
  const candidates = await stats(page, connection, 'remote-candidate');
  return String(candidates.find(({ id }) => id === pair?.['remoteCandidateId'])?.['protocol']);
}

async function offerOf(page: Page): Promise<string> {
  return page.evaluate(`(async () => {
    const pc = new RTCPeerConnection();
    pc.addTransceiver('video', { direction: 'sendonly' });
    await pc.setLocalDescription();
    return pc.localDescription.sdp;
  })()`);
}

async function post(body: string, type = 'application/sdp') {
  const headers = { 'content-type': type };
  const answer = await fetch(`${server.http}/cam/none/whip`, { method: 'POST', headers, body });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

/** The port of all media, as an answer names it. */
async function mediaPort(): Promise<number> {
  await using page = disposable(await browser.open(`${server.http}/api/health`));
  const made = await post(await offerOf(page.value));
  await fetch(`${server.http}${made.headers.get('location')}`, { method: 'DELETE' });
  return Number(/ udp \d+ [\d.]+ (\d+) typ host/.exec(made.text)?.[1]);
}

interface Track {
  readonly kind: string;
  readonly codec: string;
  readonly clock?: { readonly source: string; readonly lagMs: number };
  readonly losses?: { readonly packets: number; readonly lost: number };
}

/** Ms by which the sound is still to be moved forward against the picture; throws until both have sender reports. */
async function soundLag(stream: string): Promise<number> {
  const { tracks } = await server.get<{ tracks: Track[] }>(`/api/streams/${stream}`);
  const [sound, picture] = ['audio', 'video'].map((kind) => {
    const clock = tracks.find((track) => track.kind === kind)?.clock;
    if (clock?.source !== 'sender-report') throw new Error(`The ${kind} has no sender report.`);
    return clock.lagMs;
  });
  return sound! - picture!;
}

describe('a page that publishes over WHIP', () => {
  it('is read over RTSP with picture and sound in step, by another page over WHEP, and sends all it can', async () => {
    await using page = disposable(await publishing('cam/page'));
    const { tracks } = await server.get<{ tracks: Track[] }>('/api/streams/cam/page');
    expect(tracks.map(({ codec }) => codec).sort()).toEqual(['h264', 'opus']);
    // It begins with 300 kbit/s, and without feedback stays there. How far it gets is up to its encoder and to what time
    // the machine has for that.
    const rate = await eventually(async () => {
      const pairs = await stats(page.value, 'publisher', 'candidate-pair');
      const most = Math.max(...pairs.map((pair) => Number(pair['availableOutgoingBitrate'] ?? 0)));
      return most > 450_000 ? most : undefined;
    }, 60_000);
    console.info(`WHIP: the page may send ${(rate / 1e6).toFixed(1)} Mbit/s`);
    const input = ['-rtsp_transport', 'tcp', '-i', `${server.rtsp}/cam/page`];
    const { stdout } = await run('ffprobe', [
      ...['-v', 'error', ...input, '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'],
    ]);
    expect(stdout.trim().split(/\s+/).sort()).toEqual(['h264', 'opus']);
    // This ffmpeg knows no Opus in FLV, and so nothing but the picture there.
    const { rtmp } = server.server.addresses;
    const others: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      ['RTSP over UDP', ['-rtsp_transport', 'udp', `${server.rtsp}/cam/page`], ['h264', 'opus']],
      ['HLS', [`${server.http}/cam/page/index.m3u8`], ['h264', 'opus']],
      ['HTTP-FLV', [`${server.http}/cam/page/live.flv`], ['h264']],
      ['RTMP', [`${rtmp}/cam/page`], ['h264']],
    ];
    await Promise.all(
      others.map(async ([door, from, codecs]) => {
        // By itself it waits with FLV for 90 s of media, or 5 MB, for sound that it does not know.
        const show = ['-v', 'error', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'];
        const probed = await run('ffprobe', [...show, '-analyzeduration', '3000000', ...from]);
        expect(probed.stdout.trim().split(/\s+/), `${door}: ${probed.stderr}`).toEqual(
          expect.arrayContaining([...codecs]),
        );
      }),
    );
    // A track is moved to where reports show it by 10 ms a second: by so much as it still lags, sound is apart from the
    // picture, and what is judged is the rest. Reports that are not followed leave more. A page that has no time draws
    // flashes late and leaves pictures out: one look of several has to be good.
    const looks: string[] = [];
    await eventually(async () => {
      const before = await soundLag('cam/page');
      const marks = await readMarks(input, 6);
      const lag = (before + (await soundLag('cam/page'))) / 2;
      const delays = beepDelays(marks).sort((a, b) => a - b);
      const shown = delays.map((ms) => ms.toFixed(0)).join(', ');
      looks.push(`beeps after flashes by ${shown} ms, of it ${lag.toFixed(0)} to go ${marks.stderr}`);
      const usual = delays[delays.length >> 1] ?? Number.NaN;
      return delays.length > 3 && Math.abs(usual - lag) < 120;
    }, 90_000).catch((error: unknown) => {
      throw new Error(`Picture and sound are apart: ${looks.join('; ')}`, { cause: error });
    });
    console.info(`WHIP: ${looks.join('; ')}`);
    await using other = disposable(await browser.open(`${server.http}/api/health`));
    expect(await watch(other.value, 'cam/page')).toMatchObject({ protocol: 'udp' });
    const session = await page.value.evaluate<string>('session');
    expect((await fetch(`${server.http}${session}`, { method: 'DELETE' })).status).toBe(200);
    await eventually(async () => {
      const { state } = await server.get('/api/streams/cam/page');
      return state === 'held';
    });
  });

  it('loses no picture to a network that drops every twentieth packet', async () => {
    await using relay = await lossyUdpRelay(await mediaPort(), { loss: 0.05, reorder: 0.01, seed: 7 });
    await using page = disposable(await publishing('cam/lossy', through(relay.port)));
    await eventually(() => relay.counters.lost > 60, 60_000);
    const { tracks } = await server.get<{ tracks: Track[] }>('/api/streams/cam/lossy');
    // Chromium takes no requests for packets of sound; what is lost of that is left to the decoder.
    const { packets = 0, lost = 0 } = tracks.find(({ kind }) => kind === 'video')?.losses ?? {};
    console.info(
      `WHIP: ${relay.counters.lost} of ${relay.counters.packets} dropped, of ${packets} pictures' ${lost} missed`,
    );
    expect(await protocolOf(page.value, 'publisher')).toBe('udp');
    // Nearly all come when they are asked for; some too late where the machine has no time for the browser.
    expect(packets).toBeGreaterThan(300);
    expect(lost).toBeLessThan(packets / 80);
  });

  it('gets through over TCP where no UDP does, and so does who watches', async () => {
    await using page = disposable(await publishing('cam/tcp', TCP_ONLY));
    expect(await protocolOf(page.value, 'publisher')).toBe('tcp');
    await using other = disposable(await browser.open(`${server.http}/api/health`));
    expect(await watch(other.value, 'cam/tcp', TCP_ONLY)).toMatchObject({ protocol: 'tcp' });
    expect(browser.errors).toEqual([]);
  });

  it('is told in a sentence why it cannot publish, and what it may ask for', async () => {
    await using page = disposable(await browser.open(`${server.http}/api/health`));
    const offer = await offerOf(page.value);
    const unknown = await post(offer.replace(/(H264|H265|VP8|VP9|AV1)\//g, 'X$1/'));
    expect(unknown).toMatchObject({ status: 422, text: expect.stringContaining('WEBRTC_CODEC_UNSUPPORTED') });
    const silent = await post(offer.replaceAll('a=sendonly', 'a=recvonly'));
    expect(silent).toMatchObject({ status: 400, text: expect.stringContaining('SDP_OFFER_INVALID') });
    expect((await post(offer, 'text/plain')).status).toBe(415);
    expect((await fetch(`${server.http}/cam/none/whip`)).status).toBe(405);
    const options = await fetch(`${server.http}/cam/none/whip`, { method: 'OPTIONS' });
    expect(options.headers.get('accept-post')).toBe('application/sdp');
    const made = await post(offer);
    expect(made.status).toBe(201);
    expect(made.headers.get('accept-patch')).toBe('application/trickle-ice-sdpfrag');
    expect(made.text).toMatch(/a=recvonly\r\n/);
    const session = `${server.http}${made.headers.get('location')}`;
    const patch = (match: string) =>
      fetch(session, {
        method: 'PATCH',
        headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': match },
        body: 'a=end-of-candidates\r\n',
      });
    expect((await patch(made.headers.get('etag') ?? '')).status).toBe(204);
    expect((await patch('*')).status).toBe(200);
    expect((await patch(made.headers.get('etag') ?? '')).status).toBe(412);
    expect((await fetch(session, { method: 'DELETE' })).status).toBe(200);
    expect((await fetch(session, { method: 'DELETE' })).status).toBe(404);
  });
});

/** A page that is closed with its block. */
function disposable(page: Page): { readonly value: Page } & AsyncDisposable {
  return { value: page, [Symbol.asyncDispose]: () => page.context().close() };
}
