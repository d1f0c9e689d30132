import { expect, test } from 'vitest';
import { actionText, detailText } from './text';

test('actions are words', () => {
  for (const [action, text] of [
    ['api_key.create', 'API key created'],
    ['service.change_tier', 'Service tier changed'],
    ['escrow.deposit', 'Escrow: deposit'],
    ['session.create', 'Signed in'],
    ['transaction.give_up', 'Transaction given up'],
    ['brand_new.thing_done', 'Brand new thing done'],
  ] as const) {
    expect(actionText(action)).toBe(text);
  }
});

test('details say what changed, from what to what', () => {
  const details = { state: { from: 'disabled', to: 'enabled' }, tier: { from: null, to: 'pro' }, amount_micros: 12_500_000, note: null };
  expect(detailText({ subject: 'seal', details })).toBe('Seal · state Off → On · tier none → Pro · $12.50');
  expect(detailText({ subject: 'key_1', details: {} })).toBe('key_1');
});
