import { type ReactNode, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { PlayMode } from '#algorithms/overlay/boxes.ts';
import { useAlgorithms } from '../api/queries.ts';
import type { AlgorithmInfo } from '../api/types.ts';
import type { Via } from '../player/ladder.ts';
import type { RunInfo } from '../player/protocol.ts';
import { Chevron, Person } from './icons.tsx';
import { useKeys } from './keys.ts';
import { reasonWords } from './reason.ts';
import { titleOf } from './title.ts';
import { useClosing } from './use-closing.ts';
import type { PlayerHandle } from './use-player.ts';
import { WayMenu } from './way-menu.tsx';

/** The algorithm that has a button of its own. */
const FIRST = 'people';

interface ToolbarProps {
  readonly handle: PlayerHandle;
  readonly mode: PlayMode;
  readonly onMode: (mode: PlayMode) => void;
  readonly via: Via;
  readonly onVia: (via: Via) => void;
}

/** What can be done with the stream that is shown: look for things, and choose how to watch. */
export function Toolbar({ handle, mode, onMode, via, onVia }: ToolbarProps): ReactNode {
  const { t } = useTranslation();
  const algorithms = useAlgorithms().data ?? [];
  const runs = handle.snapshot?.runs ?? [];
  const error = handle.snapshot?.error;
  const toggle = (algorithm: string): void => {
    const mine = runs.some((run) => run.algorithm === algorithm && run.mine);
    handle.player?.setRun(algorithm, !mine);
  };
  useKeys({
    d: () => toggle(FIRST),
    s: () => onMode(mode === 'live' ? 'in-step' : 'live'),
  });
  const others = algorithms.filter((algorithm) => algorithm.id !== FIRST);
  return (
    <div className="toolbar">
      <div className="toolbar-group">
        <DetectButton run={runs.find((run) => run.algorithm === FIRST)} onToggle={() => toggle(FIRST)} />
        {others.length > 0 && <AlgorithmMenu algorithms={others} runs={runs} onToggle={toggle} />}
      </div>
      <div className="toolbar-group">
        <WayMenu snapshot={handle.snapshot} via={via} onVia={onVia} />
        <div className="segmented" role="group" aria-label={t('mode.label')}>
          {(['in-step', 'live'] as const).map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={mode === each}
              title={`${t(`mode.${each}.why`)} (S)`}
              data-testid={`mode-${each}`}
              onClick={() => onMode(each)}
            >
              {t(`mode.${each}.name`)}
            </button>
          ))}
        </div>
      </div>
      {error && (
        <p className="toolbar-error" role="alert" title={error.message} data-testid="run-error">
          {reasonWords({ reason: error.message, code: error.code }, t)}
        </p>
      )}
    </div>
  );
}

function DetectButton({ run, onToggle }: { run: RunInfo | undefined; onToggle: () => void }): ReactNode {
  const { t } = useTranslation();
  const why =
    run?.reason === undefined ? t('detect.why') : reasonWords({ reason: run.reason, code: run.code }, t);
  const state = run ? (run.mine ? run.state : 'others') : 'off';
  return (
    <button
      type="button"
      className="button primary"
      aria-pressed={run?.mine ?? false}
      title={`${why} (D)`}
      data-testid="detect-people"
      data-run={run?.state ?? 'none'}
      onClick={onToggle}
    >
      <Person />
      {t(`detect.${state}`, { defaultValue: t('detect.running') })}
    </button>
  );
}

interface AlgorithmMenuProps {
  readonly algorithms: readonly AlgorithmInfo[];
  readonly runs: readonly RunInfo[];
  readonly onToggle: (algorithm: string) => void;
}

function AlgorithmMenu({ algorithms, runs, onToggle }: AlgorithmMenuProps): ReactNode {
  const { t, i18n } = useTranslation();
  const menu = useRef<HTMLDetailsElement>(null);
  useClosing(menu);
  return (
    <details ref={menu} className="menu">
      <summary className="button" data-testid="algorithms">
        {t('detect.more')}
        <Chevron />
      </summary>
      <ul className="menu-list">
        {algorithms.map((algorithm) => (
          <li key={algorithm.id}>
            <label>
              <input
                type="checkbox"
                checked={runs.some((run) => run.algorithm === algorithm.id && run.mine)}
                data-testid={`algorithm-${algorithm.id}`}
                onChange={() => onToggle(algorithm.id)}
              />
              {titleOf(algorithm, i18n.language)}
            </label>
          </li>
        ))}
      </ul>
    </details>
  );
}
