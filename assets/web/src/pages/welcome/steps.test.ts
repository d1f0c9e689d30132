import { expect, test } from 'vitest';
import { stepsDone } from './steps';

const NOTHING = { service: { state: 'not_provisioned', keys_work: false }, billing: {}, keys: 0, requests: 0 };
const ALL = { service: { state: 'enabled', keys_work: true }, billing: { escrow: { balance_micros: 71_000_000 } }, keys: 1, requests: 3 };

test('each step is done by what has happened', () => {
  expect(stepsDone(NOTHING)).toEqual([false, false, false, false, false]);
  expect(stepsDone({ ...NOTHING, billing: { escrow: { balance_micros: 1 } } })).toEqual([true, false, false, false, false]);
  expect(stepsDone(ALL)).toEqual([true, true, true, true, true]);
});

test('a deposit that was spent on the subscription stays done', () => {
  const spent = { escrow: { balance_micros: 0 } };
  expect(stepsDone({ ...ALL, billing: spent })?.[0]).toBe(true);
  expect(stepsDone({ ...NOTHING, billing: spent })?.[0]).toBe(false);
});

test('what is not known is not told as undone', () => {
  expect(stepsDone({ ...ALL, billing: undefined })).toBeUndefined();
  expect(stepsDone({ ...ALL, keys: undefined })).toBeUndefined();
  expect(stepsDone({ ...ALL, requests: undefined })).toBeUndefined();
  expect(stepsDone({ ...NOTHING, billing: undefined })).toBeUndefined();
});

test('another service can be chosen while its keys and requests are not known', () => {
  expect(stepsDone({ ...NOTHING, keys: undefined, requests: undefined })).toEqual([false, false, false, false, false]);
});
