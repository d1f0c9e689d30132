import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { siteQuery } from '../../server/queries';

const LOOK = 'text-link underline underline-offset-2';

/** To the operator's terms of service, in a tab of their own, or to the text that comes with the dashboard. */
export function TermsLink({ children }: { children: ReactNode }) {
  const own = useQuery(siteQuery).data?.terms_url;
  if (own === undefined || own === null) {
    return (
      <Link to="/terms" className={LOOK}>
        {children}
      </Link>
    );
  }
  return (
    <a href={own} target="_blank" rel="noopener noreferrer" className={LOOK}>
      {children}
    </a>
  );
}
