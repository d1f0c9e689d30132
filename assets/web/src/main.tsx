import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { makeQueryClient } from './queryClient';
import { makeRouter } from './router';
import './styles.css';
import { DEMO_WALLET, registerDemoWallet } from './wallet/demo';
import { storedWallet } from './wallet/session';

// Whoever signed in with it signs with it again; it is offered on the sign-in page only.
if (storedWallet() === DEMO_WALLET) registerDemoWallet();
const queryClient = makeQueryClient();
const router = makeRouter(queryClient);

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
