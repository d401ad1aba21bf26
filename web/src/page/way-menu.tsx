import { type ReactNode, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { RUNGS, type Via } from '../player/ladder.ts';
import type { PlayerSnapshot } from '../player/snapshot.ts';
import { Chevron } from './icons.tsx';
import { useClosing } from './use-closing.ts';
import { setbackWords } from './way-words.ts';

interface WayMenuProps {
  readonly snapshot: PlayerSnapshot | undefined;
  readonly via: Via;
  readonly onVia: (via: Via) => void;
}

/** Which way the stream comes, why not a better one, and the choice of another. */
export function WayMenu({ snapshot, via, onVia }: WayMenuProps): ReactNode {
  const { t } = useTranslation();
  const menu = useRef<HTMLDetailsElement>(null);
  useClosing(menu);
  const rung = snapshot?.rung;
  const name = t(`way.${rung ?? via}.name`);
  return (
    <details ref={menu} className="menu end">
      <summary
        className="button"
        aria-label={t('way.label', { name })}
        title={t('way.label', { name })}
        data-testid="way"
        data-rung={rung ?? 'none'}
        data-via={via}
      >
        <span className="way-name">{name}</span>
        <Chevron />
      </summary>
      <div className="menu-list ways" role="radiogroup" aria-label={t('way.choose')}>
        {(['auto', ...RUNGS] as const).map((each) => {
          const setback = snapshot?.setbacks.find((one) => one.rung === each)?.setback;
          return (
            <label key={each}>
              <input
                type="radio"
                name="way"
                checked={via === each}
                data-testid={`way-${each}`}
                onChange={() => {
                  onVia(each);
                  menu.current?.removeAttribute('open');
                }}
              />
              <span>
                {t(`way.${each}.name`)}
                <small data-tone={setback ? 'warning' : undefined}>
                  {setback ? setbackWords(setback, t) : t(`way.${each}.why`)}
                </small>
              </span>
            </label>
          );
        })}
      </div>
    </details>
  );
}
