import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

/** What stands in the place of the picture while there is no stream: the first step. */
export function Empty({ loaded }: { loaded: boolean }): ReactNode {
  const { t } = useTranslation();
  const address = `rtsp://${location.hostname}:8554/live`;
  return (
    <main className="empty" data-testid="empty">
      {loaded ? (
        <>
          <h1>{t('empty.title')}</h1>
          <p>{t('empty.text')}</p>
          <code>ffmpeg -re -stream_loop -1 -i any.mp4 -c copy -f rtsp {address}</code>
        </>
      ) : (
        <p>{t('empty.loading')}</p>
      )}
    </main>
  );
}
