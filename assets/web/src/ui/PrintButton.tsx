import { Printer } from 'lucide-react';
import { Button } from './Button';

export function PrintButton({ disabled }: { disabled: boolean }) {
  return (
    <Button icon={<Printer aria-hidden="true" className="size-3.5" strokeWidth={1.75} />} disabled={disabled} onClick={() => window.print()}>
      Print
    </Button>
  );
}
