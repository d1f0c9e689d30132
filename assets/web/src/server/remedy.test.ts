import { expect, test } from 'vitest';
import { escrowSearch } from '../search';
import { dollarsUp, remedyOf } from './remedy';

const LIMIT = { needed_micros: 370_000_000, needed: '$370.00' };

test('amounts are rounded up to a cent', () => {
  for (const [micros, text] of [
    [185_000_000, '185.00'],
    [185_000_001, '185.01'],
    [1, '0.01'],
    [290_000, '0.29'],
    [1_234_567_890_000, '1234567.89'],
  ] as const) {
    expect(dollarsUp(micros)).toBe(text);
  }
});

test('missing money is deposited, and only a limit in the way is raised', () => {
  for (const [shortfall, label, search] of [
    [{ balance_micros: 165_000_000, balance: '$165.00' }, 'Deposit', { action: 'deposit', amount: '165.00' }],
    [{ balance_micros: 1, balance: '$0.000001', spending_limit: LIMIT }, 'Deposit', { action: 'deposit', amount: '0.01' }],
    [{ balance_micros: 0, balance: '$0.00', spending_limit: LIMIT }, 'Raise the limit', { action: 'limit', amount: '370.00' }],
    [undefined, 'Deposit', { action: 'deposit' }],
  ] as const) {
    expect(remedyOf(shortfall)).toEqual({ label, search });
    expect(escrowSearch({ ...search })).toEqual(search);
  }
});
