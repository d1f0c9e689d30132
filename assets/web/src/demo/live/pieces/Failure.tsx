import { CircleAlert } from 'lucide-react';
import type { Problem } from '../../api';
import { ApiError } from '../../api';

/** Shown only while there is not a single overview; later failures leave the last figures in place. */
export function Failure({ error, onRetry }: { error: Error; onRetry: () => void }) {
  const { title, detail, code } = describe(error);
  return (
    <div role="alert" className="rounded border border-line bg-raised p-6">
      <p className="flex items-center gap-2 font-semibold">
        <CircleAlert aria-hidden="true" className="size-4 shrink-0 text-bad" strokeWidth={1.75} />
        {title}
      </p>
      <p className="mt-1 text-[13px] text-muted">
        {detail} <span className="font-mono text-xs">({code})</span>
      </p>
      <button
        type="button"
        onClick={onRetry}
        className="mt-4 h-8 rounded border border-line px-3 text-[13px] font-medium text-link hover:bg-selected"
      >
        Try again
      </button>
    </div>
  );
}

function describe(error: Error): Pick<Problem, 'title' | 'detail' | 'code'> {
  if (error instanceof ApiError) return error.problem;
  return {
    title: 'suiftly cannot be reached',
    detail: 'The page asks again by itself. Check that the demo is still running.',
    code: 'unreachable',
  };
}
