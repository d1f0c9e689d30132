import { expect, test } from 'vitest';
import { everyItem } from './pages';

test('every page is asked for, in order, up to the last', async () => {
  const pages: Record<string, { items: number[]; next_cursor?: string }> = { first: { items: [5, 4], next_cursor: 'b' }, b: { items: [], next_cursor: 'c' }, c: { items: [3] } };
  const asked: (string | undefined)[] = [];
  const all = await everyItem((cursor) => {
    asked.push(cursor);
    return Promise.resolve(pages[cursor ?? 'first'] ?? { items: [] });
  });
  expect(all).toEqual([5, 4, 3]);
  expect(asked).toEqual([undefined, 'b', 'c']);
});

test('a page that fails is no file that ends before it', async () => {
  const failing = everyItem((cursor) => (cursor === undefined ? Promise.resolve({ items: [1], next_cursor: 'b' }) : Promise.reject(new Error('busy'))));
  await expect(failing).rejects.toThrow('busy');
});
