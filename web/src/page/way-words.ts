import type { TFunction } from 'i18next';
import { codecName } from '../player/codec-support.ts';
import type { Setback } from '../player/ladder.ts';
import { reasonWords } from './reason.ts';

/** Why a way is not taken, in a sentence of the page's language. */
export function setbackWords(setback: Setback, t: TFunction): string {
  switch (setback.kind) {
    case 'refused':
      return reasonWords({ reason: setback.message, code: setback.code }, t);
    case 'sound':
      return t('way.setback.sound', { codec: codecName(setback.codec) });
    case 'codec':
      return setback.codec === undefined
        ? t('way.setback.codec')
        : t('way.setback.browserCodec', { codec: setback.codec });
    default:
      return t(`way.setback.${setback.kind}`);
  }
}
