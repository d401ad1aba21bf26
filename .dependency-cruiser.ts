/**
 * Who may import whom. `rooms` is the table of docs/architecture.md; scripts/check-rooms.ts runs it and asserts that
 * every module was really visited. A room may always import itself; tests (`*.test.ts`) may import what they like,
 * and nothing may import a test.
 */
const upToHub = ['util', 'media', 'codecs', 'containers', 'protocols', 'hub'];
const upToFeeds = [...upToHub, 'feeds'];

/** Room → the rooms, or single files of a room, that it may import. */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  util: [],
  media: ['util'],
  codecs: ['util', 'media'],
  containers: ['util', 'media', 'codecs'],
  protocols: ['util', 'media', 'codecs'],
  hub: ['util', 'media'],
  // What several doors and sinks give out alike.
  feeds: upToHub,
  // Connections that sources and sinks open alike.
  clients: ['util', 'media', 'codecs', 'containers', 'protocols'],
  servers: upToFeeds,
  sources: [...upToHub, 'clients'],
  sinks: [...upToFeeds, 'clients'],
  // Sources in, forwards out, and what lies between is the hub's.
  jobs: ['util', 'media', 'hub', 'sources', 'sinks'],
  link: ['util', 'media'],
  workers: ['util', 'media'],
  // Of the algorithms only the contract: manifests and messages, never what executes them.
  pipelines: ['util', 'media', 'codecs', 'algorithms/(?!onnx/)', 'link/client.ts'],
  algorithms: ['util', 'media'],
  cameras: ['util', 'media', 'algorithms', 'store', 'bus'],
  store: ['util'],
  bus: ['util'],
  auth: ['util'],
  config: ['util'],
  hooks: ['util'],
  // util and media are the words every room speaks; beyond them the API sees the domain and reads the hub.
  api: ['util', 'media', 'cameras', 'hub', 'store', 'bus', 'auth', 'config'],
};

/** Rooms that wire the others together: they may import everything, and no other room may import them. */
export const wiring = ['app', 'cli'];

/** The hub's end of the link: server.ts and what it is made of. Everything else in link/ runs in workers too. */
const hubEnd = '^src/link/(server|connection|from-stream)\\.ts$';

const test = '\\.test\\.ts$';
const path = (entry: string) => (entry.includes('/') ? `^src/${entry}` : `^src/${entry}/`);

const roomRules = Object.entries(rooms).map(([room, allowed]) => ({
  name: `room-${room}`,
  severity: 'error',
  comment: `${room}/ may import only ${allowed.join(', ') || 'itself'}`,
  from:
    room === 'link'
      ? { path: '^src/link/', pathNot: [test, hubEnd] }
      : { path: `^src/${room}/`, pathNot: test },
  to: { path: '^src/', pathNot: [`^src/${room}/`, ...allowed.map(path)] },
}));

export default {
  forbidden: [
    ...roomRules,
    {
      name: 'room-link-server',
      severity: 'error',
      comment: "the hub's end of the link may import util, media and hub",
      from: { path: hubEnd },
      to: { path: '^src/', pathNot: ['^src/(link|util|media|hub)/'] },
    },
    {
      name: 'link-client-without-hub',
      severity: 'error',
      comment: "link/client.ts runs in workers: it may not reach the hub, nor the hub's end of the link",
      from: { path: '^src/link/client\\.ts$' },
      to: { path: ['^src/hub/', hubEnd], reachable: true },
    },
    {
      name: 'doors-apart',
      severity: 'error',
      comment:
        'a door imports no other door, a sink no other sink: what they share stands in feeds/ or clients/',
      from: { path: '^src/(servers|sources|sinks)/([^/]+)/', pathNot: test },
      to: { path: '^src/$1/[^/]+/', pathNot: '^src/$1/$2/' },
    },
    {
      name: 'known-room',
      severity: 'error',
      comment: 'every source file lives in a room of the table',
      from: { path: '^src/', pathNot: [...Object.keys(rooms), ...wiring].map((room) => `^src/${room}/`) },
      to: {},
    },
    {
      name: 'app-below-cli',
      severity: 'error',
      comment: 'commands call the wiring, never the other way round',
      from: { path: '^src/app/', pathNot: test },
      to: { path: '^src/cli/' },
    },
    {
      name: 'no-cycle',
      severity: 'error',
      comment: 'modules depend on each other in one direction',
      from: { pathNot: test },
      to: { circular: true },
    },
    {
      name: 'no-import-of-a-test',
      severity: 'error',
      comment: 'nothing imports a test',
      from: {},
      to: { path: test },
    },
    {
      name: 'node-av-in-one-place',
      severity: 'error',
      comment: "FFmpeg's binding is imported by src/pipelines/av* alone",
      from: { path: '^src/', pathNot: '^src/pipelines/av' },
      to: { path: '(^|/)node_modules/node-av/' },
    },
    {
      name: 'onnxruntime-in-one-place',
      severity: 'error',
      comment: 'ONNX Runtime is imported by src/algorithms/onnx alone',
      from: { path: '^src/', pathNot: '^src/algorithms/onnx/' },
      to: { path: '(^|/)node_modules/onnxruntime' },
    },
    {
      name: 'no-native-code-in-the-server',
      severity: 'error',
      comment: 'R5: nothing that the server process loads reaches FFmpeg or ONNX Runtime',
      from: { path: '^src/(app/server|cli/main)\\.ts$' },
      to: { path: '(^|/)node_modules/(node-av|onnxruntime)', reachable: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'every import names something that exists',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['node', 'import', 'types', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.json', '.d.ts'],
    },
  },
};
