import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { Brand } from '../../ui/Brand';
import { ThemeSwitch } from '../../ui/ThemeSwitch';
import { TERMS } from './text';

/** Open to everybody, so that they can be read before signing in. */
export function TermsPage() {
  useEffect(() => {
    document.title = 'Terms of service · suiftly';
  }, []);
  return (
    <div className="min-h-dvh bg-sunken">
      <header className="no-print flex h-14 items-center justify-between px-4 sm:px-8">
        <Link to="/" aria-label="suiftly, to the dashboard">
          <Brand />
        </Link>
        <ThemeSwitch />
      </header>
      <main id="content" className="mx-auto max-w-[720px] px-4 pb-20 pt-8">
        <h1 className="text-[32px] leading-10 font-semibold tracking-tight">Terms of service</h1>
        <p className="mt-1 text-pretty text-muted">Between you and the operator of this site, in plain words.</p>
        <div className="mt-6 grid gap-6 rounded border border-line bg-raised p-5 sm:p-8">
          {TERMS.map(({ title, text }, index) => (
            <section key={title}>
              <h2 className="text-[15px] font-semibold">
                {index + 1}. {title}
              </h2>
              <p className="mt-1 text-pretty">{text}</p>
            </section>
          ))}
        </div>
      </main>
    </div>
  );
}
