import { expect, test } from 'vitest';
import { totalLabel } from './total';

test('only what is issued and unpaid is to be paid', () => {
  expect(['draft', 'pending', 'failed', 'paid', 'voided'].map(totalLabel)).toEqual(['So far', 'To pay', 'To pay', 'Paid', 'Voided, nothing to pay']);
});

test('a state that is not known demands nothing', () => {
  expect(totalLabel('refunded')).toBe('Sum');
  expect(totalLabel('toString')).toBe('Sum');
});
