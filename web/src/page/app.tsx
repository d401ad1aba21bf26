import type { ReactNode } from 'react';
import { LoginNeeded, useServerEvents, useStreams } from '../api/queries.ts';
import { Empty } from './empty.tsx';
import { JobsPage } from './jobs-page.tsx';
import { useKeys } from './keys.ts';
import { Login } from './login.tsx';
import { Rail } from './rail.tsx';
import { StreamsPage } from './streams-page.tsx';
import { useUrlState } from './url-state.ts';
import { View } from './view.tsx';

/** Shown where the address names no stream. */
const FIRST_CHOICE = 'demo';

export function App(): ReactNode {
  const [{ stream: asked, mode, via, view }, change] = useUrlState();
  const connected = useServerEvents();
  const streams = useStreams();
  const list = streams.data ?? [];
  // What jobs publish is in the list, but nobody comes for it.
  const plain = list.filter(({ job }) => job === undefined);
  const chosen = asked ?? (plain.find((stream) => stream.name === FIRST_CHOICE) ?? plain[0])?.name;
  useKeys(
    Object.fromEntries(
      plain
        .slice(0, 9)
        .map(({ name }, i) => [String(i + 1), () => change({ stream: name, view: undefined })]),
    ),
  );
  if (streams.error instanceof LoginNeeded) return <Login />;
  return (
    <div className="app">
      <Rail
        streams={list}
        chosen={view ? undefined : chosen}
        connected={connected}
        loaded={streams.isSuccess}
        onChoose={(stream) => change({ stream, view: undefined })}
        view={view}
        onView={(next) => change({ view: next })}
      />
      {view === 'streams' ? (
        <StreamsPage streams={list} />
      ) : view === 'jobs' ? (
        <JobsPage />
      ) : chosen === undefined ? (
        <Empty loaded={streams.isSuccess} />
      ) : (
        <View
          key={chosen}
          name={chosen}
          info={list.find((stream) => stream.name === chosen)}
          mode={mode}
          onMode={(next) => change({ stream: chosen, mode: next })}
          via={via}
          onVia={(next) => change({ stream: chosen, via: next })}
        />
      )}
    </div>
  );
}
