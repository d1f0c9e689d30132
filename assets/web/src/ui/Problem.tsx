import { Link } from '@tanstack/react-router';
import { meaningOf } from '../server/glossary';
import { ApiError, codeOf } from '../server/problem';
import { WalletRefusal } from '../wallet/standard';
import { Banner } from './Banner';
import { Button, buttonClass } from './Button';

interface ProblemProps {
  error: Error | null;
  onRetry?: () => void;
}

/** A failure in plain words: what it is, what the server said about it, and what to do. Nothing without a failure. */
export function Problem({ error, onRetry }: ProblemProps) {
  if (error === null) return null;
  if (error instanceof WalletRefusal) {
    return (
      <Banner tone="warn" role="alert" title="The wallet did not sign" {...(onRetry === undefined ? {} : { action: <Retry onRetry={onRetry} /> })}>
        {error.message}
      </Banner>
    );
  }
  const code = codeOf(error);
  const { title, next, to, toLabel, retry } = meaningOf(code);
  const wait = error instanceof ApiError && error.retryAfterS !== undefined ? ` Possible again in ${error.retryAfterS} s.` : '';
  const detail = error instanceof ApiError && error.problem.detail !== undefined ? sentence(error.problem.detail) : undefined;
  const help = to !== undefined && (
    <Link to={to} className={buttonClass()}>
      {toLabel}
    </Link>
  );
  return (
    <Banner
      tone={code === 'internal' || code === 'unreachable' ? 'bad' : 'warn'}
      role="alert"
      title={title}
      action={
        <>
          {retry === true && onRetry !== undefined && <Retry onRetry={onRetry} />}
          {help}
        </>
      }
    >
      {detail !== undefined && <p>{detail}</p>}
      <p className="text-muted">
        {next}
        {wait} <span className="font-mono text-xs">({code ?? 'page'})</span>
      </p>
    </Banner>
  );
}

function Retry({ onRetry }: { onRetry: () => void }) {
  return <Button onClick={onRetry}>Try again</Button>;
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
