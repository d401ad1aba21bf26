import type { TFunction } from 'i18next';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { PlayMode } from '#algorithms/overlay/boxes.ts';
import type { StreamInfo, StreamTrack, TrackClock } from '../api/types.ts';
import { codecName } from '../player/codec-support.ts';
import type { RunInfo } from '../player/protocol.ts';
import type { PlayerSnapshot } from '../player/snapshot.ts';
import {
  formatBytes,
  formatChannels,
  formatClock,
  formatFps,
  formatMs,
  formatSpan,
  UNKNOWN,
} from './format.ts';
import { reasonWords } from './reason.ts';
import { titleOf } from './title.ts';
import { setbackWords } from './way-words.ts';

interface PanelProps {
  readonly info: StreamInfo | undefined;
  readonly snapshot: PlayerSnapshot | undefined;
  readonly mode: PlayMode;
}

/** The numbers: how this page plays, what the algorithms do, where the stream comes from and who else takes it. */
export function Panel({ info, snapshot, mode }: PanelProps): ReactNode {
  return (
    <aside className="panel" data-testid="panel">
      {snapshot && <Playback snapshot={snapshot} mode={mode} />}
      {snapshot && <Runs runs={snapshot.runs} />}
      {info && <Publisher info={info} unsupported={snapshot?.unsupported ?? []} />}
      {info && <Readers info={info} />}
    </aside>
  );
}

function Playback({ snapshot, mode }: { snapshot: PlayerSnapshot; mode: PlayMode }): ReactNode {
  const { t } = useTranslation();
  const { drops, results } = snapshot;
  const lost = drops.video + drops.page;
  return (
    <section>
      <h3>{t('panel.playback')}</h3>
      <dl className="figures">
        <Figure name={t('panel.fps')} value={formatFps(snapshot.fps)} id="fps" />
        <Figure
          name={t('panel.latency')}
          value={formatMs(snapshot.latencyMs)}
          id="latency"
          why={t('panel.latencyWhy')}
        />
        <Figure
          name={t('panel.drops')}
          value={String(lost)}
          id="drops"
          why={t('panel.dropsWhy', { server: drops.video, page: drops.page, audio: drops.audio })}
        />
        <Figure
          name={t('panel.resultAge')}
          value={formatMs(results.p95Ms)}
          id="result-age"
          why={t('panel.resultAgeWhy')}
        />
      </dl>
      <Way snapshot={snapshot} />
      {results.due > 0 && (
        <p className="note" data-testid="on-frame">
          {t(mode === 'live' ? 'panel.onFrameLive' : 'panel.onFrame', {
            share: Math.floor((100 * results.shown) / results.due),
          })}
        </p>
      )}
    </section>
  );
}

/** Which way the picture comes, and why not a better one. */
function Way({ snapshot }: { snapshot: PlayerSnapshot }): ReactNode {
  const { t } = useTranslation();
  const { rung, setbacks, trying } = snapshot;
  return (
    <div className="way" data-testid="panel-way">
      <dl className="facts">
        <Fact name={t('way.fact')} value={rung ? t(`way.${rung}.name`) : UNKNOWN} />
      </dl>
      {setbacks.map(({ rung: each, setback }) => (
        <p key={each} className="note" data-testid={`setback-${each}`} data-kind={setback.kind}>
          {t(trying.includes(each) ? 'way.tryingAgain' : 'way.notTaken', {
            name: t(`way.${each}.name`),
            why: setbackWords(setback, t),
          })}
        </p>
      ))}
      {rung === 'mjpeg' && <p className="note">{t('way.noSound')}</p>}
    </div>
  );
}

function Figure(props: { name: string; value: string; id: string; why?: string }): ReactNode {
  return (
    <div className="figure" title={props.why}>
      <dt>{props.name}</dt>
      <dd data-testid={props.id}>{props.value}</dd>
    </div>
  );
}

function Runs({ runs }: { runs: readonly RunInfo[] }): ReactNode {
  const { t, i18n } = useTranslation();
  if (runs.length === 0) return null;
  return (
    <section>
      <h3>{t('panel.runs')}</h3>
      {runs.map((run) => (
        <div key={run.id} className="run" data-testid={`run-${run.algorithm}`} data-state={run.state}>
          <div className="row">
            <span>{titleOf(run, i18n.language)}</span>
            <span className="muted">{t(`runState.${run.state}`)}</span>
          </div>
          {run.reason && (
            <p className="note" title={run.reason}>
              {reasonWords({ reason: run.reason, code: run.code }, t)}
            </p>
          )}
          <dl className="facts">
            <Fact
              name={t('panel.inferred')}
              value={`${run.statistics.inferred} / ${run.statistics.offered}`}
            />
            <Fact name={t('panel.inferMs')} value={formatMs(run.statistics.inferMs.p50)} />
            <Fact name={t('panel.leases')} value={String(run.leases)} />
          </dl>
        </div>
      ))}
    </section>
  );
}

interface PublisherProps {
  readonly info: StreamInfo;
  readonly unsupported: PlayerSnapshot['unsupported'];
}

function Publisher({ info, unsupported }: PublisherProps): ReactNode {
  const { t } = useTranslation();
  const { publisher } = info;
  return (
    <section data-testid="publisher">
      <h3>{t('panel.publisher')}</h3>
      <dl className="facts">
        <Fact name={t('panel.from')} value={publisher ? doorAndRemote(publisher, t) : t('panel.nobody')} />
        {publisher && (
          <Fact name={t('panel.since')} value={formatSpan(Date.now() - Date.parse(publisher.since), t)} />
        )}
        {info.tracks.map((track) => (
          <Fact key={track.id} name={t(`panel.${track.kind}`)} value={describe(track, t)} />
        ))}
      </dl>
      {info.tracks.map(
        (track) => track.kind === 'audio' && track.clock && <SoundClock key={track.id} clock={track.clock} />,
      )}
      {unsupported.map((track) => (
        <p key={track.codec} className="note">
          {t('panel.unsupported', { codec: codecName(track.codec) })}
        </p>
      ))}
    </section>
  );
}

/** How far the clock of the sound runs from the right time: what the players of the stream must make good. */
function SoundClock({ clock }: { clock: TrackClock }): ReactNode {
  const { t } = useTranslation();
  return (
    <p className="note" title={t('clock.lag', { lag: clock.lagMs })} data-testid="sound-clock">
      {formatClock(clock, t)}
    </p>
  );
}

function Readers({ info }: { info: StreamInfo }): ReactNode {
  const { t } = useTranslation();
  return (
    <section className="readers" data-testid="readers">
      <h3>
        {t('panel.readers')}
        <span className="count">{info.readers.length}</span>
      </h3>
      <dl className="facts">
        {info.readers.slice(0, 6).map((reader) => (
          <Fact key={reader.id} name={doorAndRemote(reader, t)} value={formatBytes(reader.sent.bytes)} />
        ))}
      </dl>
      {info.readers.length > 6 && (
        <p className="note">{t('panel.moreReaders', { count: info.readers.length - 6 })}</p>
      )}
    </section>
  );
}

function Fact({ name, value }: { name: string; value: string }): ReactNode {
  return (
    <div className="fact">
      <dt>{name}</dt>
      <dd title={value}>{value}</dd>
    </div>
  );
}

/**
 * `RTSP · 192.0.2.7:5004`; a word in the page's language where the door is no protocol people know, and the door alone where
 * it reads for many.
 */
function doorAndRemote(end: { readonly door: string; readonly remote: string }, t: TFunction): string {
  const door = t(`door.${end.door}`, { defaultValue: end.door.toUpperCase() });
  return end.remote === '' ? door : `${door} · ${end.remote}`;
}

/** `H.264 768 × 576`, `AAC 44.1 kHz mono` */
function describe(track: StreamTrack, t: TFunction): string {
  const parts = [codecName(track.codec)];
  if (track.width && track.height) parts.push(`${track.width} × ${track.height}`);
  if (track.sampleRate) parts.push(`${track.sampleRate / 1000} kHz`);
  if (track.channels) parts.push(formatChannels(track.channels, t));
  return parts.join(' ') || UNKNOWN;
}
