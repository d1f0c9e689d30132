import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { meaningOf } from './glossary';

test('each code that the API describes has a sentence and a way forward of its own', () => {
  const document = readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8');
  const codes = [...document.matchAll(/\| `([a-z_]+)` \| \d{3} \|/g)].map((match) => match[1] as Parameters<typeof meaningOf>[0]);
  expect(codes.length).toBeGreaterThan(40);
  for (const code of codes) {
    const { title, next } = meaningOf(code);
    expect(title, code).toMatch(/^[A-Z].*[^.]$/);
    expect(next, code).toMatch(/^[A-Z].*\.$/);
    if (code !== 'internal') expect(title, code).not.toBe(meaningOf('internal').title);
  }
});
