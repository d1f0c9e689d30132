import { Link } from '@tanstack/react-router';
import { Page } from '../ui/Page';

export function NotFound() {
  return (
    <Page eyebrow="404" title="No page here" about="The address may be mistyped, or what it named is gone.">
      <p>
        <Link to="/" className="text-link underline underline-offset-2">
          Go to the dashboard
        </Link>
      </p>
    </Page>
  );
}
