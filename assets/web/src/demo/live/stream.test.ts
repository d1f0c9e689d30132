import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openStream, retryDelayMs } from './stream';

/** Stands in for the browser's EventSource; a test plays the server. */
class FakeSource extends EventTarget {
  static readonly CLOSED = 2;
  static opened: FakeSource[] = [];
  readyState = 0;

  constructor() {
    super();
    FakeSource.opened.push(this);
  }

  close() {
    this.readyState = FakeSource.CLOSED;
  }

  play(event: 'open' | 'error', readyState: number) {
    this.readyState = readyState;
    this.dispatchEvent(new Event(event));
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('EventSource', FakeSource);
  FakeSource.opened = [];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test.each([
  [0, 500],
  [1, 1_000],
  [3, 4_000],
  [4, 8_000],
  [60, 8_000],
])('after %d failures in a row the pause is %d ms', (failures, expected) => expect(retryDelayMs(failures)).toBe(expected));

describe('a lost stream', () => {
  test('is left to the browser while that still tries', () => {
    const states = play((source) => source.play('error', 0));
    vi.advanceTimersByTime(60_000);
    expect(states).toEqual(['reconnecting']);
    expect(FakeSource.opened).toHaveLength(1);
  });

  test('is replaced when the browser has given up, and is live when the new one opens', () => {
    const states = play((source) => source.play('error', FakeSource.CLOSED));
    vi.advanceTimersByTime(retryDelayMs(0));
    FakeSource.opened[1]?.play('open', 1);
    expect(states).toEqual(['reconnecting', 'live']);
  });

  test('is not replaced once the page has closed it', () => {
    const close = openStream({ onOverview: () => {}, onConnection: () => {} });
    FakeSource.opened[0]?.play('error', FakeSource.CLOSED);
    close();
    vi.advanceTimersByTime(60_000);
    expect(FakeSource.opened).toHaveLength(1);
  });
});

function play(server: (source: FakeSource) => void): string[] {
  const states: string[] = [];
  openStream({ onOverview: () => {}, onConnection: (state) => states.push(state) });
  for (const source of FakeSource.opened) server(source);
  return states;
}
