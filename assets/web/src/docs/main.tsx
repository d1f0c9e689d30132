import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import '../styles.css';
import { ApiPage } from './ApiPage';

const root = document.getElementById('root');
if (root === null) throw new Error('docs.html has no #root');
createRoot(root).render(
  <StrictMode>
    <ApiPage />
  </StrictMode>,
);
