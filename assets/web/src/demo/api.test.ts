import { describe, expect, test } from 'vitest';
import { parseOverview, parseProblem } from './api';

const SERIES = { from: '2026-11-23T17:25:00Z', step_ms: 5000, guaranteed: [1], burst: [0], limited: [0], refused: [0], failed: [0] };
const OVERVIEW = {
  now: '2026-11-23T17:30:00Z',
  month: '2026-11',
  traffic: 'haproxy',
  intake: {},
  price: {},
  total: {},
  customers: [{ series: SERIES }],
};

describe('an overview is checked at the border', () => {
  test('a whole one passes', () => expect(parseOverview(JSON.stringify(OVERVIEW))).toEqual(OVERVIEW));
  test.each([
    ['an empty object', {}],
    ['no customers', { ...OVERVIEW, customers: undefined }],
    ['no total', { ...OVERVIEW, total: null }],
    ['a class missing', { ...OVERVIEW, customers: [{ series: { ...SERIES, failed: undefined } }] }],
    ['classes of different length', { ...OVERVIEW, customers: [{ series: { ...SERIES, burst: [0, 0] } }] }],
  ])('%s is refused', (_, value) => expect(() => parseOverview(JSON.stringify(value))).toThrow(TypeError));
});

describe('a problem is readable whatever the server sent', () => {
  test('a problem document keeps its words', () => {
    const body = { type: 'about:blank', title: 'Starting', status: 503, code: 'starting', detail: 'Opening the ledger.' };
    expect(parseProblem(503, JSON.stringify(body))).toMatchObject(body);
  });
  test.each(['', '<html>', 'null', '[]', '{"title":5}'])('%j gets words of our own', (body) =>
    expect(parseProblem(502, body)).toMatchObject({ status: 502, code: 'http_502' }),
  );
});
