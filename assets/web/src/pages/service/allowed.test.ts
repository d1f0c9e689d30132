import { expect, test } from 'vitest';
import { allowed } from './allowed';

const CANCEL_AT = '2026-12-01T00:00:00Z';

test('nothing is offered that is always refused, and leaving is always offered', () => {
  for (const [state, more, expected] of [
    ['not_provisioned', {}, []],
    ['disabled', { awaits_payment: true }, ['changeTier', 'cancel']],
    ['disabled', {}, ['turnOn', 'changeTier', 'cancel']],
    ['enabled', {}, ['turnOff', 'changeTier', 'cancel']],
    ['enabled', { cancel_at: CANCEL_AT }, ['turnOff', 'undoCancel']],
    ['suspended_maintenance', {}, ['cancel']],
    ['suspended_maintenance', { cancel_at: CANCEL_AT }, ['undoCancel']],
    ['suspended_no_payment', {}, ['cancel']],
    ['suspended_no_payment', { awaits_payment: true }, ['cancel']],
    ['cancellation_pending', {}, []],
  ] as const) {
    const found = Object.entries(allowed({ state, awaits_payment: false, ...more }));
    expect(found.flatMap(([action, is]) => (is ? [action] : [])), `${state} ${JSON.stringify(more)}`).toEqual(expected);
  }
});
