import { expect, test } from 'vitest';
import { csvOf } from './csv';
import { actionText, detailText } from './text';

test('actions are words', () => {
  for (const [action, text] of [
    ['api_key.create', 'API key created'],
    ['service.change_tier', 'Service tier changed'],
    ['escrow.deposit', 'Escrow: deposit'],
    ['session.create', 'Signed in'],
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

test('a file quotes what it must, and no cell is a formula', () => {
  const row = { activity_id: 1, at: '2026-11-26T00:00:00Z', actor: '=cmd()', ip: '', action: 'a.b', subject: 'x,y', details: { name: 'a "b"' }, hash: 'ff' };
  expect(csvOf([row])).toBe('at,action,subject,actor,ip,details,hash\r\n2026-11-26T00:00:00Z,a.b,"x,y",\'=cmd(),,"{""name"":""a \\""b\\""""}",ff\r\n');
});
