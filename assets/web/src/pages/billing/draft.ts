/** When the draft becomes an invoice. */

/** The first instant after a month ("2026-11"), RFC 3339. */
export function issuedOn(month: string): string {
  const first = new Date(`${month}-01T00:00:00Z`);
  return new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 1)).toISOString();
}

/** Whether the month is over: then its invoice comes as soon as the last of its requests are counted. */
export function isOver(month: string, asOf: string): boolean {
  return Date.parse(asOf) >= Date.parse(issuedOn(month));
}
