import { Link } from '@tanstack/react-router';
import { Activity } from 'lucide-react';

export function Navigation({ onNavigate }: { onNavigate: () => void }) {
  return (
    <nav aria-label="Pages" className="p-3 text-[13px]">
      <p className="px-3 pb-1 pt-1 text-xs text-muted">Demo</p>
      <ul>
        <li>
          <Link
            to="/"
            onClick={onNavigate}
            className="relative flex h-8 items-center gap-2.5 rounded px-3 text-muted hover:bg-selected hover:text-ink"
            activeProps={{
              className:
                'bg-selected font-medium !text-link before:absolute before:inset-y-1.5 before:left-0 before:w-0.5 before:rounded before:bg-link',
            }}
          >
            <Activity aria-hidden="true" className="size-4" strokeWidth={1.5} />
            Live usage
          </Link>
        </li>
      </ul>
    </nav>
  );
}
