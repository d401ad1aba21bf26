import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { LoginNeeded } from './api/queries.ts';
import { startLanguage } from './language.ts';
import { App } from './page/app.tsx';
import { startTheme } from './theme.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/page.css';
import './styles/stage.css';

startTheme();
await startLanguage();

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (_, error) => !(error instanceof LoginNeeded),
      retryDelay: 1_500,
      refetchOnWindowFocus: false,
    },
  },
});

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
