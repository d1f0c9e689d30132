import { QueryClient } from '@tanstack/react-query';
import { expect, test, vi } from 'vitest';
import { guardAccount } from './account';

vi.mock('../server/queries', () => ({ customerQuery: { queryKey: ['customer'] } }));
vi.mock('./session', () => ({ STORAGE_KEY: 'suiftly.wallet' }));

function guarded() {
  const client = new QueryClient();
  const tab = new EventTarget();
  const leave = vi.fn<() => void>();
  guardAccount(client, tab, leave);
  return {
    client,
    leave,
    answer: (id: number) => client.setQueryData(['customer'], { customer_id: id }),
    hear: (key: string | null) => tab.dispatchEvent(Object.assign(new Event('storage'), { key })),
  };
}

test('pages are left when the server answers for another account', () => {
  const { answer, leave } = guarded();
  answer(1);
  answer(1);
  expect(leave).not.toHaveBeenCalled();
  answer(2);
  expect(leave).toHaveBeenCalledTimes(1);
});

test('whoever signs in after signing out in the same tab is at home', () => {
  const { client, answer, leave } = guarded();
  answer(1);
  client.clear();
  answer(2);
  expect(leave).not.toHaveBeenCalled();
});

test('pages are left when another tab signs in or out, unless they are nobody’s', () => {
  for (const [key, times] of [
    ['suiftly.wallet', 1],
    [null, 1],
    ['theme', 0],
  ] as const) {
    const { answer, hear, leave } = guarded();
    hear(key);
    expect(leave).not.toHaveBeenCalled();
    answer(1);
    hear(key);
    expect(leave, String(key)).toHaveBeenCalledTimes(times);
  }
});
