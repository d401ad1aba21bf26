/** The programs that the tests run, and the Debian packages that bring them. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

interface Requirement {
  /** Debian and Ubuntu package. */
  readonly package: string;
  /** What must end with 0 (and, with `output`, say something) for the package to count as there. */
  readonly probe: readonly [program: string, ...args: string[]];
  readonly output?: true;
}

/** One element of GStreamer for each package of its plug-ins. */
const element = (name: string): [string, ...string[]] => ['gst-inspect-1.0', '--exists', name];

export const requirements: readonly Requirement[] = [
  { package: 'ffmpeg', probe: ['ffmpeg', '-hide_banner', '-version'] },
  { package: 'ffmpeg', probe: ['ffprobe', '-hide_banner', '-version'] },
  { package: 'chromium', probe: ['chromium', '--version'] },
  { package: 'gstreamer1.0-tools', probe: ['gst-launch-1.0', '--version'] },
  { package: 'gstreamer1.0-plugins-base', probe: element('audioconvert') },
  { package: 'gstreamer1.0-plugins-good', probe: element('rtspsrc') },
  { package: 'gstreamer1.0-plugins-bad', probe: element('h264parse') },
  { package: 'gstreamer1.0-plugins-ugly', probe: element('x264enc') },
  { package: 'gstreamer1.0-libav', probe: element('avdec_h264') },
  { package: 'gstreamer1.0-rtsp', probe: element('rtspclientsink') },
  { package: 'redis-server', probe: ['redis-server', '--version'] },
  { package: 'redis-tools', probe: ['redis-cli', '--version'] },
  { package: 'xvfb', probe: ['Xvfb', '-help'] },
  { package: 'iproute2', probe: ['ip', '-V'] },
  { package: 'nftables', probe: ['nft', '--version'] },
  { package: 'util-linux', probe: ['setpriv', '--pdeathsig', 'KILL', '--', 'setpriv', '--version'] },
  { package: 'fontconfig', probe: ['fc-list', '--version'] },
  // The page is looked at in Chinese too; without a face for it the screenshots show boxes.
  { package: 'fonts-noto-cjk', probe: ['fc-list', ':lang=zh-cn', 'file'], output: true },
];

/** The packages whose programs do not answer, each once, in the order of the table. */
export function missingPackages(run: typeof answers = answers): string[] {
  return [...new Set(requirements.filter((need) => !run(need)).map((need) => need.package))];
}

function answers({ probe: [program, ...args], output }: Requirement): boolean {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 });
  return status === 0 && (!output || stdout.trim() !== '');
}

/**
 * Makes sure that every program is there: as root on Debian by installing what is missing, else by saying which
 * packages to install. Returns false when something is still missing.
 */
export function ensurePrograms(): boolean {
  const missing = missingPackages();
  if (missing.length === 0) return true;
  const debian = existsSync('/etc/debian_version') && existsSync('/usr/bin/apt-get');
  if (debian && process.getuid?.() === 0) {
    console.log(`Installing what the tests need: ${missing.join(' ')}`);
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...missing]]) {
      spawnSync('apt-get', ['-q', ...args], { stdio: 'inherit', env: environment, timeout: 600_000 });
    }
    const still = missingPackages();
    if (still.length === 0) return true;
    console.error(`apt-get could not install: ${still.join(' ')}`);
    return false;
  }
  console.error('The tests need programs that are not here. Install them, then run the tests again:');
  console.error(`  sudo apt-get update && sudo apt-get install -y ${missing.join(' ')}`);
  return false;
}
