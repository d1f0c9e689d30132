import { expect, test } from 'vitest';
import { escrowSearch } from '../search';
import { depositSearch } from './deposit';

test('a deposit begins with what is owed and the balance lacks, rounded up to a cent', () => {
  for (const [owed, balance, amount] of [
    [185_000_000, 0, '185.00'],
    [185_000_000, 20_000_000, '165.00'],
    [185_000_001, 0, '185.01'],
    [1, 0, '0.01'],
    [290_000, 0, '0.29'],
    [1_234_567_890_000, 0, '1234567.89'],
  ] as const) {
    const search = depositSearch({ owed_micros: owed, escrow: { balance_micros: balance } });
    expect(search, `${owed} − ${balance}`).toEqual({ action: 'deposit', amount });
    expect(escrowSearch({ ...search })).toEqual(search);
  }
  expect(depositSearch({ owed_micros: 29_000_000 })).toEqual({ action: 'deposit', amount: '29.00' });
});

test('it begins without an amount when nothing is missing or known', () => {
  expect(depositSearch(undefined)).toEqual({ action: 'deposit' });
  expect(depositSearch({ owed_micros: 0, escrow: { balance_micros: 5_000_000 } })).toEqual({ action: 'deposit' });
  expect(depositSearch({ owed_micros: 5_000_000, escrow: { balance_micros: 5_000_000 } })).toEqual({ action: 'deposit' });
});
