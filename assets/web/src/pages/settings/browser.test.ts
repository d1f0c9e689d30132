import { expect, test } from 'vitest';
import { browserText } from './browser';

test('browsers that call themselves by others’ names are told apart', () => {
  for (const [agent, text] of [
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36', 'Chrome on Linux'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0', 'Edge on Windows'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1', 'Safari on iPhone'],
    ['curl/8.5', 'curl/8.5'],
    ['', 'Unknown'],
  ] as const) {
    expect(browserText(agent), agent).toBe(text);
  }
});
