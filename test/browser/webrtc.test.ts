import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser } from '../support/browser.ts';
import { barcodeClip } from '../support/media.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';
import { READ_NUMBER, WATCH_BY_WHEP } from '../support/whep-page.ts';
import { publish } from './support.ts';

/** What a viewer in the page saw and heard. */
interface Watched {
  /** From the POST to the first picture, ms. */
  readonly firstPictureMs: number;
  /** RTP time, and the number that the picture's barcode shows. */
  readonly frames: readonly { readonly rtp: number; readonly number: number }[];
  readonly audioEnergy: number;
  readonly lost: number;
  /** How long pictures were kept by the jitter buffer on average, ms. */
  readonly keptMs: number;
  readonly cipher: string;
  readonly session: string;
}

let server: TestSluice;
let browser: TestBrowser;
let page: Page;

beforeAll(async () => {
  server = await sluice('demo: false\n');
  browser = await TestBrowser.launch();
  // Any page of this origin will do.
  page = await browser.open(`${server.http}/api/health`);
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/**
 * Watches until so many pictures were presented; the connection stays open as `viewer` of the page. The jitter buffers are
 * asked to keep everything for `keepMs`.
 */
async function watch(path: string, pictures: number, keepMs: number | null = null): Promise<Watched> {
  const script = `(async () => {
    ${WATCH_BY_WHEP} ${READ_NUMBER}
    const began = performance.now();
    const { pc, video, session } = await watchByWhep('${path}', { answered: (sdp, pc) => {
      window.viewer = pc;
      for (const receiver of pc.getReceivers()) receiver.jitterBufferTarget = ${keepMs};
      return sdp;
    } });
    const canvas = document.createElement('canvas');
    const frames = [];
    let firstPictureMs = 0;
    await new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error('after ' + frames.length + ' pictures, ' + pc.connectionState)), 25000);
      const look = (_, { rtpTimestamp }) => {
        firstPictureMs ||= performance.now() - began;
        const number = readNumber(video, canvas);
        if (number !== undefined) frames.push({ rtp: rtpTimestamp, number });
        if (frames.length < ${pictures}) video.requestVideoFrameCallback(look); else resolve();
      };
      video.requestVideoFrameCallback(look);
    });
    let audioEnergy = 0, lost = 0, keptMs = 0, cipher = '';
    for (const stat of (await pc.getStats()).values()) {
      if (stat.type === 'inbound-rtp') lost += stat.packetsLost;
      if (stat.type === 'inbound-rtp' && stat.kind === 'audio') audioEnergy = stat.totalAudioEnergy;
      if (stat.type === 'inbound-rtp' && stat.kind === 'video')
        keptMs = 1000 * stat.jitterBufferDelay / stat.jitterBufferEmittedCount;
      if (stat.type === 'transport') cipher = stat.srtpCipher;
    }
    return { firstPictureMs, frames, audioEnergy, lost, keptMs, cipher, session };
  })()`;
  return page.evaluate<Watched>(script);
}

async function readers(stream: string): Promise<number> {
  const { readers: list } = await server.get<{ readers: unknown[] }>(`/api/streams/${stream}`);
  return list.length;
}

describe('a browser over WebRTC', () => {
  it('plays H.264 with Opus, each picture at the time the publisher gave it', async () => {
    const clip = await barcodeClip({ seconds: 60, audio: 'opus', container: 'mkv' });
    await using _publisher = publish(clip, `${server.rtsp}/yard`);
    await server.live('yard');
    const seen = await watch('/yard/whep', 75);
    console.info(
      `WebRTC: first picture after ${seen.firstPictureMs.toFixed(0)} ms, ${seen.cipher}, ${seen.lost} packets lost`,
    );
    expect(seen.audioEnergy).toBeGreaterThan(0);
    expect(seen.cipher).toBe('SRTP_AEAD_AES_128_GCM');
    // 25 pictures a second in ticks of 90 kHz, all with one offset: that of the publisher. A page that is called late
    // may find the next picture in the video already, one or more whole pictures newer than it was told.
    const offsets = seen.frames.map(({ rtp, number }) => (rtp - number * 3600) | 0);
    const usual = Math.max(...offsets);
    const late = offsets.filter((offset) => offset !== usual);
    expect(late.filter((offset) => (usual - offset) % 3600 !== 0)).toEqual([]);
    expect(late.length).toBeLessThan(offsets.length / 4);
    expect(await readers('yard')).toBe(1);
    expect((await fetch(`${server.http}${seen.session}`, { method: 'DELETE' })).status).toBe(200);
    expect(await readers('yard')).toBe(0);
    expect((await fetch(`${server.http}${seen.session}`, { method: 'DELETE' })).status).toBe(404);
  });

  it('keeps pictures no longer than its page asked the server to let it, whatever else it is told', async () => {
    const clip = await barcodeClip({ seconds: 60, audio: 'opus', container: 'mkv' });
    await using _publisher = publish(clip, `${server.rtsp}/door`);
    await server.live('door');
    const KEEP_MS = 3000;
    const free = await watch('/door/whep', 25, KEEP_MS);
    const bounded = await watch('/door/whep?maxDelay=20', 50, KEEP_MS);
    console.info(`WebRTC: kept ${free.keptMs.toFixed(0)} ms, bounded ${bounded.keptMs.toFixed(0)} ms`);
    expect(free.keptMs).toBeGreaterThan(KEEP_MS / 2);
    expect(bounded.keptMs).toBeLessThan(KEEP_MS / 4);
  });

  it('is forgotten when it closes its connection', async () => {
    const clip = await barcodeClip({ seconds: 60, audio: 'opus', container: 'mkv' });
    await using _publisher = publish(clip, `${server.rtsp}/gate`);
    await server.live('gate');
    await watch('/gate/whep', 5);
    await page.evaluate('viewer.close()');
    const isForgotten = await eventually(async () => (await readers('gate')) === 0, 40_000);
    expect(isForgotten).toBe(true);
  });

  it('is told in a sentence why it cannot be served, and changes ICE only by the right ETag', async () => {
    const clip = await barcodeClip({ seconds: 60, audio: 'opus', container: 'mkv' });
    await using _publisher = publish(clip, `${server.rtsp}/hall`);
    await server.live('hall');
    const ask = async (method: string, path: string, headers: Record<string, string> = {}, body?: string) => {
      const asked = await fetch(`${server.http}${path}`, { method, headers, ...(body && { body }) });
      const text = await asked.text();
      const code = asked.ok ? undefined : (JSON.parse(text) as { error: { code: string } }).error.code;
      return { status: asked.status, code, etag: asked.headers.get('etag'), text };
    };
    const sdp = { 'content-type': 'application/sdp' };
    expect(await ask('GET', '/hall/whep')).toMatchObject({ status: 405, code: 'METHOD_NOT_ALLOWED' });
    expect(await ask('OPTIONS', '/hall/whep')).toMatchObject({ status: 204 });
    expect(await ask('POST', '/hall/whep', {}, 'v=0')).toMatchObject({ status: 415 });
    expect(await ask('POST', '/hall/whep', sdp, 'v=0')).toMatchObject({ code: 'SDP_OFFER_INVALID' });
    const offer: string = await page.evaluate(`(async () => {
      const pc = new RTCPeerConnection();
      pc.addTransceiver('video', { direction: 'recvonly' });
      const { sdp } = await pc.createOffer();
      await pc.setLocalDescription();
      return pc.localDescription.sdp;
    })()`);
    expect(await ask('POST', '/nobody/whep', sdp, offer)).toMatchObject({ code: 'STREAM_NOT_FOUND' });
    const mute = offer.replace(/H264/g, 'X264');
    expect(await ask('POST', '/hall/whep', sdp, mute)).toMatchObject({
      status: 406,
      code: 'WEBRTC_NO_COMMON_CODEC',
    });
    const made = await fetch(`${server.http}/hall/whep`, { method: 'POST', headers: sdp, body: offer });
    const answer = await made.text();
    expect(answer).toMatch(/a=candidate:1 1 udp \d+ 127\.0\.0\.1 \d+ typ host/);
    const session = made.headers.get('location') ?? '';
    const etag = made.headers.get('etag') ?? '';
    const fragment = { 'content-type': 'application/trickle-ice-sdpfrag' };
    const patch = (match?: string) =>
      ask('PATCH', session, { ...fragment, ...(match && { 'if-match': match }) }, 'a=end-of-candidates\r\n');
    expect(await patch()).toMatchObject({ status: 428 });
    expect(await patch(etag)).toMatchObject({ status: 204 });
    const restarted = await patch('*');
    expect(restarted).toMatchObject({ status: 200, text: expect.stringMatching(/a=ice-ufrag:/) });
    expect(answer).not.toContain(/a=ice-ufrag:(\S+)/.exec(restarted.text)?.[1]);
    expect(await patch(etag)).toMatchObject({ status: 412, code: 'PRECONDITION_FAILED' });
    expect(await patch(restarted.etag ?? '')).toMatchObject({ status: 204 });
    expect(await ask('DELETE', session)).toMatchObject({ status: 200 });
    expect(await patch('*')).toMatchObject({ status: 404, code: 'WEBRTC_SESSION_UNKNOWN' });
  });
});
