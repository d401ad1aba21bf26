import { readdirSync, readFileSync } from 'node:fs';

/** Ticks of /proc/<pid>/stat per second; fixed at 100 on Linux for user space. */
const TICKS = 100;

export interface ProcessFigures {
  readonly pid: number;
  /** What the process is: `server`, `worker`, `algorithm-host`. */
  readonly role: string;
  readonly cpuSeconds: number;
  readonly rssMb: number;
}

/** The process and all its descendants, with CPU time (user and system, all threads) since their start. */
export function processTree(root: number): ProcessFigures[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const fields = Number.isInteger(pid) ? stat(pid) : undefined;
    if (!fields) continue;
    const parent = Number(fields[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree: ProcessFigures[] = [];
  const visit = (pid: number) => {
    const fields = stat(pid);
    if (!fields) return;
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS;
    tree.push({ pid, role: role(pid), cpuSeconds, rssMb: (Number(fields[21]) * 4096) / 1e6 });
    for (const child of children.get(pid) ?? []) visit(child);
  };
  visit(root);
  return tree;
}

/**
 * Memory of a process in MB as it adds up over processes: what several share (the text of Node and its libraries) is
 * counted once in all (PSS). The sum of RSS would count it for each.
 */
export function proportionalMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1]) / 1000;
}

/** Fields of /proc/<pid>/stat after the name: [0] state, [1] parent, [11] utime, [12] stime, [21] rss in pages. */
function stat(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // A zombie is gone; only its parent has not looked yet.
    return fields[0] === 'Z' ? undefined : fields;
  } catch {
    return undefined;
  }
}

function role(pid: number): string {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    if (command.includes('algorithm-host')) return 'algorithm-host';
    if (command.includes('app/worker')) return 'worker';
    return command.includes('cli/main') ? 'server' : command.split('\0')[0]!.split('/').at(-1)!;
  } catch {
    return '?';
  }
}

/** CPU seconds by role between two snapshots of one tree. */
export function cpuBetween(
  before: readonly ProcessFigures[],
  after: readonly ProcessFigures[],
): Record<string, number> {
  const used: Record<string, number> = {};
  for (const { pid, role: name, cpuSeconds } of after) {
    const start = before.find((p) => p.pid === pid)?.cpuSeconds ?? 0;
    used[name] = (used[name] ?? 0) + cpuSeconds - start;
  }
  return used;
}
