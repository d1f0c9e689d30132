import { expect, test } from 'vitest';
import { endText, eventText } from './trace';

test('codes of a gateway are words, and unknown ones stay recognisable', () => {
  for (const [code, text] of [
    [0, 'None'],
    [20, 'The address is not in the allowlist'],
    [77, 'Event 77'],
  ] as const) {
    expect(eventText(code)).toBe(text);
  }
  for (const [code, text] of [
    ['--', 'Normally'],
    ['----', 'Normally'],
    ['LR', 'The gateway answered'],
    ['cD', 'The client was too slow'],
    ['?x', 'Cut short'],
  ] as const) {
    expect(endText(code)).toBe(text);
  }
});
