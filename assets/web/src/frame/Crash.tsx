import type { ErrorComponentProps } from '@tanstack/react-router';
import { Banner } from '../ui/Banner';
import { Button } from '../ui/Button';
import { Page } from '../ui/Page';

/** A page that could not be drawn or fetched; after an update of the server its old pieces are gone, and reloading helps. */
export function Crash({ error }: ErrorComponentProps) {
  return (
    <Page eyebrow="Error" title="This page did not load" about="The rest of the dashboard works.">
      <Banner tone="bad" role="alert" title="Something went wrong in the page" action={<Button onClick={() => window.location.reload()}>Reload</Button>}>
        A newer version may be there. <span className="font-mono text-xs">({error instanceof Error ? error.message : String(error)})</span>
      </Banner>
    </Page>
  );
}
