import { expect, test } from 'vitest';
import { csvText } from './csv';

test('a file quotes what it must, no text is a formula, and a negative number stays one', () => {
  const text = csvText(['a', 'b', 'c', 'd'], [['x,y', '=cmd()', 'say "hi"', '-5000'], ['-rm', 'two\nlines', '', '1.5']]);
  expect(text).toBe('a,b,c,d\r\n"x,y",\'=cmd(),"say ""hi""",-5000\r\n\'-rm,"two\nlines",,1.5\r\n');
});
