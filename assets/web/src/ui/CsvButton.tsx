import { useMutation } from '@tanstack/react-query';
import { Download } from 'lucide-react';
import { Button } from './Button';
import { csvText, download } from './csv';
import { Dialog } from './Dialog';
import { Problem } from './Problem';

interface CsvButtonProps {
  /** The file's name. */
  name: string;
  header: readonly string[];
  disabled: boolean;
  /** All rows, also those that the page has not loaded. */
  rows: () => Promise<string[][]>;
}

export function CsvButton({ name, header, disabled, rows }: CsvButtonProps) {
  const save = useMutation({ mutationFn: rows, onSuccess: (all) => download(name, csvText(header, all)), gcTime: 0 });
  return (
    <>
      <Button icon={<Download aria-hidden="true" className="size-3.5" strokeWidth={1.75} />} busy={save.isPending} disabled={disabled} onClick={() => save.mutate()}>
        CSV
      </Button>
      {save.error !== null && (
        <Dialog title="No file was made" onClose={() => save.reset()}>
          <Problem error={save.error} onRetry={() => save.mutate()} />
        </Dialog>
      )}
    </>
  );
}
