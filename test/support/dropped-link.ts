/**
 * `unshare --net node dropped-link.ts`: the whole server and its clients in a network of their own, whose link then
 * swallows every packet of some of them, without an error at either end. Prints as JSON when the server let go of whom,
 * how the others fared meanwhile, and whether clients come back.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { WebSocket } from 'ws';
import { clipPath } from './clips.ts';
import { eventually, sluice } from './sluice.ts';
import { MseViewer, RtspViewer } from './viewers.ts';

/** What the process prints, on its last line. */
export interface DroppedLink {
  /** Seconds from the break to the end of the server's connection with each client; null for one that is still there. */
  readonly goneAfter: Readonly<Record<string, number | null>>;
  /** The longest time without a new picture at the reader whose link did not break, seconds. */
  readonly longestGap: number;
  /** Leases that were left when all viewers were gone. */
  readonly leasesLeft: number;
  /** With the link back, the name could be published and read again. */
  readonly cameBack: boolean;
}

const run = (program: string, ...args: string[]) =>
  void execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
const nft = (...words: string[]) => run('nft', words.join(' '));
const LIMIT_S = 75;

// As small as on Ethernet: with the segments of loopback the kernel would take megabytes for whom nobody answers.
run('ip', 'link', 'set', 'lo', 'mtu', '1500');
run('ip', 'link', 'set', 'lo', 'up');
nft('add table inet broken');
nft('add set inet broken ports { type inet_service; }');
// What arrives is dropped, not what leaves: a sender must not get an error.
nft('add chain inet broken input { type filter hook input priority 0; }');

interface SocketLine {
  readonly local: number;
  readonly remote: number;
  readonly established: boolean;
  readonly inode: string;
}

function sockets(protocol: 'tcp' | 'udp'): SocketLine[] {
  const port = (address: string) => Number.parseInt(address.split(':')[1]!, 16);
  const lines = readFileSync(`/proc/net/${protocol}`, 'utf8').trim().split('\n').slice(1);
  return lines.map((line) => {
    const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
    return { local: port(local!), remote: port(remote!), established: state === '01', inode: inode! };
  });
}

/** Ports of the sockets that a process has open. */
function portsOf(pid: number): number[] {
  const files = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  const all = [...sockets('tcp'), ...sockets('udp')];
  return all.filter(({ inode }) => files.includes(`socket:[${inode}]`)).map(({ local }) => local);
}

const server = await sluice('demo: false\n');
await server.rewrite(
  'demo: false\n',
  'http: { port: 0 }\nrtsp: { port: 0, udpPort: 0, sessionTimeout: 20 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\n',
);
const ws = server.http.replace('http', 'ws');
const doors = [server.http, server.rtsp].map((url) => Number(new URL(url).port));
const programs: ReturnType<typeof spawn>[] = [];
process.on('exit', () => programs.forEach((program) => program.kill('SIGKILL')));
const clip = await clipPath('h264-aac');

async function publish(
  stream: string,
  transport: string,
  input = ['-stream_loop', '-1', '-i', clip, '-c', 'copy'],
) {
  const output = ['-f', 'rtsp', '-rtsp_transport', transport, `${server.rtsp}/${stream}`];
  const program = spawn('ffmpeg', ['-v', 'error', '-re', ...input, ...output], { stdio: 'ignore' });
  programs.push(program);
  await server.live(stream);
  return program.pid!;
}

/** The ports of each client whose link is going to break. */
const clients: Record<string, readonly number[]> = {};

/** Opens a client in this process and notes its port. */
async function open<T>(name: string, connect: () => Promise<T>): Promise<T> {
  const ours = () =>
    sockets('tcp').filter(({ remote, established }) => established && doors.includes(remote));
  const before = new Set(ours().map(({ local }) => local));
  const client = await connect();
  clients[name] = ours().flatMap(({ local }) => (before.has(local) ? [] : local));
  return client;
}

function webSocket(path: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${ws}${path}`, { perMessageDeflate: false });
    socket.on('open', () => resolve(socket));
    socket.on('error', reject);
  });
}

const connections = (name: string) =>
  sockets('tcp').filter(
    ({ local, remote, established }) =>
      established && doors.includes(local) && clients[name]!.includes(remote),
  ).length;

await publish('live', 'tcp');
await publish('sound', 'tcp', ['-f', 'lavfi', '-i', 'sine=r=8000', '-c:a', 'pcm_alaw']);
clients['publisher over TCP'] = portsOf(await publish('tcp', 'tcp'));
clients['publisher over UDP'] = portsOf(await publish('udp', 'udp'));
const healthy = await RtspViewer.open(`${server.rtsp}/live`);
await open('RTSP reader', () => RtspViewer.open(`${server.rtsp}/live`));
await open('RTSP reader of sound alone', () => RtspViewer.open(`${server.rtsp}/sound`));
await open('MSE page', () => MseViewer.open(`${ws}/live/mse`));
await open('MSE page that waits', () => webSocket('/nobody/mse'));
const paused = await open('MSE page that paused', () => webSocket('/live/mse'));
paused.send(JSON.stringify({ type: 'pause' }));
const viewer = await open('viewer of results', () => webSocket('/live/results'));
viewer.send(JSON.stringify({ type: 'run', algorithm: 'people', parameters: { fps: 1 } }));
await open('listener to events', () => webSocket('/api/events'));
const agent = new Agent({ keepAlive: true });
await open('HTTP client', async () => {
  await new Promise((resolve) =>
    get(`${server.http}/api/health`, { agent }, (answer) => answer.resume().on('end', resolve)),
  );
});
await eventually(async () => (await server.runs())[0]?.state === 'running');

nft(`add element inet broken ports { ${Object.values(clients).flat().join(', ')} }`);
for (const protocol of ['tcp', 'udp'])
  for (const end of ['sport', 'dport']) nft(`add rule inet broken input ${protocol} ${end} @ports drop`);
const broken = performance.now();
const seconds = () => (performance.now() - broken) / 1000;

const goneAfter: Record<string, number | null> = Object.fromEntries(
  Object.keys(clients).map((name) => [name, null]),
);
let [pictures, since, longestGap] = [healthy.pictures.length, performance.now(), 0];
while (seconds() < LIMIT_S && Object.values(goneAfter).includes(null)) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (const name of Object.keys(clients))
    if (connections(name) === 0) goneAfter[name] ??= Math.round(seconds());
  if (healthy.pictures.length > pictures) [pictures, since] = [healthy.pictures.length, performance.now()];
  longestGap = Math.max(longestGap, (performance.now() - since) / 1000);
}
const leasesLeft = (await server.runs()).flatMap(({ leases }) => leases).length;

nft('flush chain inet broken input');
await publish('tcp', 'tcp');
await using back = await RtspViewer.open(`${server.rtsp}/tcp`);
const cameBack = await eventually(() => back.pictures.length > 10).catch(() => false);
const outcome: DroppedLink = { goneAfter, longestGap, leasesLeft, cameBack };
console.log(JSON.stringify(outcome));
process.exit();
