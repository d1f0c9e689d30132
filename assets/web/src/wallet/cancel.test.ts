import { expect, test, vi } from 'vitest';
import { GivenUp, unlessGivenUp } from './cancel';

test('an answer and a refusal are handed on', async () => {
  const { signal } = new AbortController();
  await expect(unlessGivenUp(() => Promise.resolve('signature'), signal)).resolves.toBe('signature');
  await expect(unlessGivenUp(() => Promise.reject(new Error('No')), signal)).rejects.toThrow('No');
});

test('a wallet that never answers can be given up', async () => {
  const wish = new AbortController();
  const waiting = unlessGivenUp(() => new Promise(() => undefined), wish.signal);
  wish.abort();
  await expect(waiting).rejects.toBeInstanceOf(GivenUp);
});

test.each(['answer', 'refusal'])('what comes after that is ignored: %s', async (late) => {
  const wish = new AbortController();
  const asked = new Promise<string>((resolve, reject) => {
    setTimeout(() => (late === 'answer' ? resolve('signature') : reject(new Error('No'))), 1);
  });
  const told = expect(unlessGivenUp(() => asked, wish.signal)).rejects.toBeInstanceOf(GivenUp);
  wish.abort();
  await told;
  await Promise.allSettled([asked]);
});

test('what was given up before is not asked', async () => {
  const wish = new AbortController();
  wish.abort();
  const question = vi.fn(() => Promise.resolve('signature'));
  await expect(unlessGivenUp(question, wish.signal)).rejects.toBeInstanceOf(GivenUp);
  expect(question).not.toHaveBeenCalled();
});
