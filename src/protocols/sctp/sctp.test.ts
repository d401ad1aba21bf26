import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { SctpPeer } from '../../../test/support/sctp-peer.ts';
import { SctpAssociation } from './association.ts';
import { crc32c } from './crc32c.ts';
import { type DataChannel, DataChannels } from './data-channels.ts';
import type { SctpMessage } from './inbound.ts';
import { buildData, buildSack, buildSctp, CHUNK, parseData, parseSack, parseSctp } from './packet.ts';

const TEXT = 51;

/** An association and who began it, with a way between them that loses what `loses` says, by number. */
function setUp(loses: (packet: number, fromUs: boolean) => boolean = () => false) {
  const clock = new VirtualClock();
  const messages: SctpMessage[] = [];
  const resets: number[][] = [];
  const ends: string[] = [];
  const sent: Buffer[] = [];
  let fromUs = 0;
  let toUs = 0;
  const association = new SctpAssociation({
    ...{ clock, localPort: 5000, remotePort: 5000, maxMessageSize: 100_000 },
    random: (size) => Buffer.alloc(size, 7),
    send: (packet) => {
      sent.push(packet);
      if (!loses(fromUs++, true)) clock.after(10, () => peer.receive(packet));
    },
    onMessage: (message) => messages.push(message),
    onReset: (streams) => resets.push([...streams]),
    onClose: (reason) => ends.push(reason),
  });
  const peer = new SctpPeer(clock, (packet) => {
    if (!loses(toUs++, false)) clock.after(10, () => association.receive(packet));
  });
  const open = () => {
    peer.init();
    clock.advance(100);
  };
  return { clock, association, peer, messages, resets, ends, sent, open };
}

const text = (payload: string | Buffer, stream = 0) => ({
  stream,
  protocol: TEXT,
  payload: Buffer.from(payload),
});

describe('a packet of SCTP', () => {
  it('is checked by CRC-32C', () => {
    // RFC 3720 appendix B.4.
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a91_36aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8_ab43);
    const chunks = [{ type: CHUNK.heartbeat, flags: 0, body: Buffer.from([1, 2, 3]) }];
    const packet = buildSctp({ sourcePort: 5000, destinationPort: 5001, tag: 9, chunks });
    expect(parseSctp(packet)).toEqual({ sourcePort: 5000, destinationPort: 5001, tag: 9, chunks });
    packet[14] = 1;
    expect(parseSctp(packet)).toBeUndefined();
  });
});

describe('an SCTP association', () => {
  it('is opened by who begins it, and carries messages both ways, long ones in fragments', () => {
    const { association, peer, messages, open, clock } = setUp();
    association.sendMessage(text('too early'));
    open();
    expect(association.isOpen).toBe(true);
    expect(peer.heard).toEqual([CHUNK.initAck, CHUNK.cookieAck]);
    const long = Buffer.from(Array.from({ length: 40_000 }, (_, i) => i & 0xff));
    association.sendMessage(text(long));
    association.sendMessage(text('behind it'));
    peer.outbound.push(1, TEXT, long);
    peer.outbound.push(1, TEXT, Buffer.from('and here'));
    clock.advance(1000);
    expect(peer.messages).toEqual([text(long), text('behind it')]);
    expect(messages).toEqual([text(long, 1), text('and here', 1)]);
    expect(association.buffered).toBe(0);
  });

  it('loses nothing and keeps the order on a way that loses a fifth', () => {
    // The same sequence in every run.
    let state = 1;
    const isLost = () => (state = (state * 48_271) % 0x7fff_ffff) % 5 === 0;
    const { association, peer, messages, clock } = setUp(isLost);
    for (let i = 0; i < 20 && !association.isOpen; i++) {
      peer.init();
      clock.advance(1000);
    }
    const all = Array.from({ length: 60 }, (_, i) => `${i} `.repeat(i * 40 + 1));
    for (const one of all) {
      association.sendMessage(text(one));
      peer.outbound.push(0, TEXT, Buffer.from(one));
    }
    clock.advance(300_000);
    expect(peer.messages.map(({ payload }) => payload.toString())).toEqual(all);
    expect(messages.map(({ payload }) => payload.toString())).toEqual(all);
  });

  it('sends a lost packet again as soon as three others were acknowledged', () => {
    // The fourth packet of ours is the first with data.
    const { association, peer, open, clock } = setUp((packet, fromUs) => fromUs && packet === 2);
    open();
    for (let i = 0; i < 4; i++) association.sendMessage(text(`${i}`));
    clock.advance(100);
    expect(peer.messages.map(({ payload }) => payload.toString())).toEqual(['0', '1', '2', '3']);
  });

  it('holds back what the other side has no room for', () => {
    let isCut = false;
    const { association, open, clock, sent } = setUp((_, fromUs) => fromUs && isCut);
    open();
    isCut = true;
    const before = sent.length;
    association.sendMessage(text(Buffer.alloc(200_000)));
    // Four packets to begin with (RFC 9260 section 7.2.1).
    expect(sent.length - before).toBeLessThanOrEqual(4);
    expect(association.buffered).toBe(200_000);
    clock.advance(100);
    expect(sent.length - before).toBeLessThanOrEqual(4);
  });

  it('ends when nothing is acknowledged any more, and leaves no timer', () => {
    let isCut = false;
    const { association, open, clock, ends } = setUp(() => isCut);
    open();
    isCut = true;
    association.sendMessage(text('hello?'));
    clock.advance(120_000);
    expect(ends).toEqual([expect.stringContaining('acknowledges nothing')]);
    expect(clock.pending).toBe(0);
  });

  it('answers heartbeats, an end, and a cookie whose answer was lost', () => {
    const { association, peer, open, clock, ends } = setUp((packet, fromUs) => fromUs && packet === 1);
    open();
    // Its answer was lost: the other side begins once more and gets the same one.
    peer.init();
    clock.advance(100);
    expect(peer.heard.filter((type) => type === CHUNK.cookieAck)).toEqual([]);
    expect(association.isOpen).toBe(true);
    peer.say([{ type: CHUNK.heartbeat, flags: 0, body: Buffer.from([0, 1, 0, 4]) }]);
    clock.advance(100);
    expect(peer.heard.at(-1)).toBe(CHUNK.heartbeatAck);
    peer.say([{ type: CHUNK.shutdown, flags: 0, body: Buffer.alloc(4) }]);
    clock.advance(100);
    expect(peer.heard.at(-1)).toBe(CHUNK.shutdownAck);
    expect(ends).toHaveLength(1);
  });

  it('takes no packet with another tag, and no message that is too long', () => {
    const { association, peer, open, clock, messages, ends } = setUp();
    open();
    peer.say([{ type: CHUNK.abort, flags: 0, body: Buffer.alloc(0) }], 99);
    clock.advance(100);
    expect(association.isOpen).toBe(true);
    peer.outbound.push(0, TEXT, Buffer.alloc(100_001));
    clock.advance(1000);
    expect(messages).toEqual([]);
    expect(ends).toEqual(['A message is longer than 100000 bytes.']);
    expect(peer.heard.at(-1)).toBe(CHUNK.abort);
  });

  it('keeps a bounded number of fragments that came early, however small they are', () => {
    const { peer, open, clock, sent } = setUp();
    open();
    for (let i = 2; i <= 3000; i++) {
      const data = { tsn: (0xffff_ffef + i) >>> 0, stream: 0, streamSequence: i, protocol: TEXT };
      const body = buildData({ ...data, payload: Buffer.from([i]) });
      peer.say([{ type: CHUNK.data, flags: 3, body }]);
    }
    clock.advance(100);
    const sack = parseSack(parseSctp(sent.at(-1)!)!.chunks[0]!.body);
    expect(sack?.gaps).toEqual([[2, 1025]]);
  });

  it('counts as kept what was acknowledged before something that was not', () => {
    const { association, open, sent, clock } = setUp((packet, fromUs) => fromUs && packet >= 2);
    open();
    association.sendMessage(text('first'));
    association.sendMessage(text('second'));
    const data = parseData(parseSctp(sent.at(-1)!)!.chunks[0]!.body)!;
    const acknowledge = (cumulative: number, gaps: [number, number][]) => {
      const body = buildSack({ cumulative: cumulative >>> 0, window: 1 << 20, gaps, duplicates: [] });
      const [tag] = [parseSctp(sent[0]!)!.chunks[0]!.body.readUInt32BE(0)];
      const chunks = [{ type: CHUNK.sack, flags: 0, body }];
      association.receive(buildSctp({ sourcePort: 5000, destinationPort: 5000, tag, chunks }));
    };
    acknowledge(data.tsn - 2, [[2, 2]]);
    expect(association.buffered).toBe('first'.length + 'second'.length);
    acknowledge(data.tsn, []);
    expect(association.buffered).toBe(0);
    expect(association.fragments).toBe(0);
    clock.advance(1000);
  });

  it('resets a stream once all before it came, ours with it, and again when the answer was lost', () => {
    const { peer, open, clock, resets, sent } = setUp();
    open();
    peer.outbound.push(4, TEXT, Buffer.from('last words'));
    peer.reset(4);
    clock.advance(100);
    expect(resets).toEqual([[4]]);
    // A response (16), and a request of our own (13).
    expect(SctpPeer.parameters(sent.at(-1)!, CHUNK.reconfig)).toEqual([16, 13]);
    const answer = sent.at(-1)!;
    peer.reset(4, true);
    clock.advance(100);
    expect(sent.at(-1)).toEqual(answer);
    expect(resets).toHaveLength(1);
  });
});

describe('data channels', () => {
  /** DATA_CHANNEL_OPEN (RFC 8832 section 5.1). */
  function openMessage(label: string): Buffer {
    const message = Buffer.alloc(12 + label.length);
    message[0] = 3;
    message.writeUInt16BE(label.length, 8);
    message.write(label, 12);
    return message;
  }

  it('that are known are acknowledged, and carry text both ways until they are closed', () => {
    const clock = new VirtualClock();
    const channels: DataChannel[] = [];
    const heard: string[] = [];
    let closed = 0;
    const ours = new DataChannels({
      ...{ clock, localPort: 5000, remotePort: 5000, maxMessageSize: 1000 },
      random: (size) => Buffer.alloc(size, 7),
      send: (packet) => clock.after(10, () => peer.receive(packet)),
      accepts: (label) => label === 'results',
      onChannel: (channel) => {
        channels.push(channel);
        channel.sendText(Buffer.from('hello'));
        return {
          message: (data, binary) => heard.push(`${binary} ${data.toString()}`),
          close: () => closed++,
        };
      },
      onClose: () => {},
    });
    const peer = new SctpPeer(clock, (packet) => clock.after(10, () => ours.receive(packet)));
    peer.init();
    clock.advance(100);
    peer.outbound.push(2, 50, openMessage('chat'));
    peer.outbound.push(4, 50, openMessage('results'));
    peer.outbound.push(4, TEXT, Buffer.from('{"type":"run"}'));
    peer.outbound.push(4, 56, Buffer.alloc(0));
    clock.advance(1000);
    expect(channels.map(({ label }) => label)).toEqual(['results']);
    expect(peer.messages).toEqual([
      { stream: 4, protocol: 50, payload: Buffer.from([2]) },
      { stream: 4, protocol: TEXT, payload: Buffer.from('hello') },
    ]);
    expect(heard).toEqual(['false {"type":"run"}', 'false ']);
    peer.reset(4);
    clock.advance(100);
    channels[0]?.sendText(Buffer.from('too late'));
    clock.advance(1000);
    expect([closed, peer.messages.length]).toEqual([1, 2]);
    // It may be opened anew.
    peer.outbound.resetStream(4);
    peer.outbound.push(4, 50, openMessage('results'));
    clock.advance(100);
    expect(channels).toHaveLength(2);
    ours.close();
    expect(closed).toBe(2);
    clock.advance(1000);
    expect(clock.pending).toBe(0);
  });

  it('are not opened for ever by who takes none of our answers', () => {
    const clock = new VirtualClock();
    let opened = 0;
    const ours = new DataChannels({
      ...{ clock, localPort: 5000, remotePort: 5000, maxMessageSize: 1000 },
      random: (size) => Buffer.alloc(size, 7),
      send: (packet) => {
        const isData = parseSctp(packet)?.chunks.some(({ type }) => type === CHUNK.data);
        if (!isData) clock.after(10, () => peer.receive(packet));
      },
      accepts: () => true,
      onChannel: () => {
        opened++;
        return { message: () => {}, close: () => {} };
      },
      onClose: () => {},
    });
    const peer = new SctpPeer(clock, (packet) => clock.after(10, () => ours.receive(packet)));
    peer.init();
    clock.advance(100);
    for (let i = 0; i < 100; i++) {
      for (let n = 0; n < 50; n++) {
        peer.outbound.push(4, 50, openMessage('results'));
        peer.reset(4);
        peer.outbound.resetStream(4);
      }
      clock.advance(25);
    }
    expect(opened).toBe(2048);
    ours.close();
    peer.outbound.close();
    clock.advance(1000);
    expect(clock.pending).toBe(0);
  });
});
