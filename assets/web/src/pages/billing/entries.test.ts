import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { REASONS, amountOf, cellsOf, changeOf, reasonText } from './entries';

const posted = (debit: string, credit: string, micros: number) => ({
  postings: [
    { account: debit, currency: 'USD', amount_micros: micros, amount: '' },
    { account: credit, currency: 'USD', amount_micros: -micros, amount: '' },
  ],
});

test('each reason of the books has words of its own, and another one is shown as it is', () => {
  const books = readFileSync(new URL('../../../../../src/core/billing/entry.rs', import.meta.url), 'utf8');
  const start = books.indexOf('impl EntryReason');
  const names = [...books.slice(start, books.indexOf('/// One side of an entry', start)).matchAll(/Self::\w+ => "([a-z_]+)"/g)].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(10);
  expect(names.toSorted()).toEqual(Object.keys(REASONS).toSorted());
  expect(new Set(Object.values(REASONS)).size).toBe(names.length);
  expect(reasonText('credits_returned')).toBe('Credit returned');
  expect(reasonText('a_new_one')).toBe('A new one');
  expect(reasonText('constructor')).toBe('Constructor');
});

test.each([
  ['a deposit', 'chain_clearing', 'escrow', 5],
  ['a withdrawal', 'escrow', 'chain_clearing', -5],
  ['a paid invoice', 'escrow', 'receivable', -5],
  ['an issued invoice', 'receivable', 'revenue', 0],
  ['a granted credit', 'revenue', 'credit', 5],
  ['a used credit', 'credit', 'receivable', -5],
  ['a returned credit', 'receivable', 'credit', 5],
  ['an expired credit', 'credit', 'revenue', -5],
  ['a refund', 'refunds', 'escrow', 5],
  ['what was overpaid', 'escrow', 'credit', 0],
])('%s changes escrow and credit by its direction', (_, debit, credit, change) => {
  expect(changeOf(posted(debit, credit, 5)) + 0).toBe(change);
  expect(amountOf(posted(debit, credit, 5))).toBe(5);
});

test('a line of the file has the change with its sign', () => {
  const entry = { entry_id: 1, at: '2026-11-26T08:57:33Z', reason: 'withdrawal', ...posted('escrow', 'chain_clearing', 7), after: { escrow_micros: 3, escrow: '', credits_micros: 0, credits: '', owed_micros: 0, owed: '' } };
  expect(cellsOf(entry)).toEqual(['2026-11-26T08:57:33Z', 'withdrawal', '', '', '7', '3', '0', '0', '-7']);
});
