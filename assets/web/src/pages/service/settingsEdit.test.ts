import { expect, test } from 'vitest';
import { changeOf, changedElsewhere, changedFields, settingsOf, shown, typed, without } from './settingsEdit';

const before = settingsOf({ burst: false, ip_allowlist_enabled: true, ip_allowlist: ['203.0.113.7', '198.51.100.0/24'] });

test('only what differs is sent; spaces and line ends make no difference', () => {
  let edits = typed({}, before, 'ip_allowlist', ' 203.0.113.7,198.51.100.0/24\n\n');
  expect(changedFields(edits, before)).toEqual([]);
  expect(changeOf(edits, before)).toEqual({});
  edits = typed(edits, before, 'burst', true);
  expect(changeOf(edits, before)).toEqual({ burst: true });
  edits = typed(edits, before, 'ip_allowlist', '203.0.113.8 nonsense');
  expect(changeOf(edits, before)).toEqual({ burst: true, ip_allowlist: ['203.0.113.8', 'nonsense'] });
  expect(changedElsewhere(edits, before)).toEqual([]);
});

test('what changes elsewhere is shown where nothing was typed, and told where something was', () => {
  const edits = typed(typed({}, before, 'ip_allowlist', '203.0.113.9'), before, 'ip_allowlist', '203.0.113.9\n203.0.113.10');
  const after = settingsOf({ burst: true, ip_allowlist_enabled: true, ip_allowlist: ['192.0.2.1'] });
  expect(shown(edits, after)).toEqual({ burst: true, ip_allowlist_enabled: true, ip_allowlist: '203.0.113.9\n203.0.113.10' });
  expect(changedElsewhere(edits, after)).toEqual(['ip_allowlist']);
  expect(changeOf(edits, after)).toEqual({ ip_allowlist: ['203.0.113.9', '203.0.113.10'] });
  expect(shown(without(edits, ['ip_allowlist']), after)).toEqual(after);
});

test('the same change elsewhere is no difference any more', () => {
  const edits = typed({}, before, 'burst', true);
  const after = { ...before, burst: true };
  expect(changedFields(edits, after)).toEqual([]);
  expect(changedElsewhere(edits, after)).toEqual([]);
});

test('what is put back follows what changes elsewhere again', () => {
  const edits = typed(typed({}, before, 'burst', true), before, 'burst', false);
  expect(shown(edits, { ...before, burst: true }).burst).toBe(true);
  expect(changedFields(edits, { ...before, burst: true })).toEqual([]);
});

test('what was sent is let go of, what was typed since is not', () => {
  const sent = typed(typed({}, before, 'burst', true), before, 'ip_allowlist', '192.0.2.1/32');
  const since = typed(sent, before, 'ip_allowlist', '192.0.2.1/32\n192.0.2.2');
  expect(without(sent, ['burst', 'ip_allowlist'], sent)).toEqual({});
  expect(Object.keys(without(since, ['burst', 'ip_allowlist'], sent))).toEqual(['ip_allowlist']);
});
