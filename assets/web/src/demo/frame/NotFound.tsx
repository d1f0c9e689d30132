import { Link } from '@tanstack/react-router';

export function NotFound() {
  return (
    <div className="px-4 py-10 lg:px-8">
      <h1 className="text-[32px] leading-10 font-semibold tracking-tight">No page here</h1>
      <p className="mt-2 text-muted">
        The address may be mistyped.{' '}
        <Link to="/" className="text-link underline underline-offset-2">
          Go to live usage
        </Link>
      </p>
    </div>
  );
}
