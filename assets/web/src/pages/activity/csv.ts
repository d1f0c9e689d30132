/** A file of what is shown, made in the browser. */

type Row = Record<'at' | 'action' | 'subject' | 'actor' | 'ip' | 'hash', string> & { details: object };

const COLUMNS = ['at', 'action', 'subject', 'actor', 'ip', 'details', 'hash'] as const;

export function csvOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => COLUMNS.map((name) => cell(name === 'details' ? JSON.stringify(row.details) : row[name])).join(','));
  return `${[COLUMNS.join(','), ...lines].join('\r\n')}\r\n`;
}

/** Quoted where it must be; what a spreadsheet would take for a formula is made a text. */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
