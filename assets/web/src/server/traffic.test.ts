import { expect, test } from 'vitest';
import { allRequests, chartLines, classOf, countsOf } from './traffic';

const series = {
  from: '2026-11-26T00:00:00Z',
  to: '2026-11-26T00:02:00Z',
  step_s: 60,
  lines: [
    { name: 'guaranteed', values: [5, 6] },
    { name: 'burst', values: [0, 0] },
    { name: 'dropped_by_rate', values: [1, 0] },
    { name: 'dropped_per_ip', values: [2, 3] },
    { name: 'denied', values: [0, 1] },
    { name: 'none', values: [0, 0] },
  ],
};

test('classes are summed into what people know, and a class that is never used is left out', () => {
  expect(chartLines(series, 'class').map(({ id, values }) => [id, values])).toEqual([
    ['guaranteed', [5, 6]],
    ['burst', [0, 0]],
    ['limited', [3, 3]],
    ['refused', [0, 1]],
    ['failed', [0, 0]],
  ]);
  expect(allRequests(series)).toEqual([8, 10]);
});

test('whatever was not answered well is an error', () => {
  const lines = ['none', '1xx', '2xx', '3xx', '4xx', '5xx', '9xx'].map((name, index) => ({ name, values: [10 ** index, 0] }));
  expect(countsOf({ ...series, lines })).toEqual({ requests: 1_111_111, errors: 1_110_001 });
  expect(countsOf({ ...series, lines: [] })).toEqual({ requests: 0, errors: 0 });
});

test('a class that is not known keeps its name', () => {
  expect(classOf('dropped_per_ip').label).toBe('Rate-limited');
  expect(classOf('brand_new').label).toBe('brand_new');
});
