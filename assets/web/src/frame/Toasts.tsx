import { CircleCheck } from 'lucide-react';
import { useToasts } from '../ui/toasts';

export function Toasts() {
  const toasts = useToasts();
  return (
    <div role="status" className="no-print pointer-events-none fixed inset-x-4 bottom-4 z-40 grid justify-items-end gap-2">
      {toasts.map(({ id, text }) => (
        <p key={id} className="flex items-center gap-2 rounded border border-line bg-raised px-4 py-2.5 text-[13px] shadow-lg">
          <CircleCheck aria-hidden="true" className="size-4 text-good" strokeWidth={1.75} />
          {text}
        </p>
      ))}
    </div>
  );
}
