import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { atMostEvery, followAccount } from './live';
import { retryDelayMs } from './stream';

vi.mock('./queries', () => ({ customerQuery: { queryKey: ['customer'], queryFn: () => Promise.resolve({}) }, configQuery: {} }));
vi.mock('./connection', () => ({ suspect: () => undefined }));

/** A stream whose server is the test. */
class Stream extends EventTarget {
  static readonly CLOSED = 2;
  static opened: Stream[] = [];
  readyState = 0;

  constructor(readonly url: string) {
    super();
    Stream.opened.push(this);
  }

  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }

  /** As the server does when there are too many already. */
  refuse() {
    this.readyState = Stream.CLOSED;
    this.dispatchEvent(new Event('error'));
  }

  /** The browser opens it again by itself. */
  breakOff() {
    this.readyState = 0;
    this.dispatchEvent(new Event('error'));
  }

  tell() {
    this.dispatchEvent(new MessageEvent('billing', { data: '{}' }));
  }

  close() {
    this.readyState = Stream.CLOSED;
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('EventSource', Stream);
  Stream.opened = [];
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A page that shows one thing of each kind, and counts how often it is asked for. */
function watched() {
  const client = new QueryClient();
  const asked: Record<string, number> = {};
  const keys = { requests: ['traffic', 'summary'], money: ['billing', 'overview'], keys: ['keys'], network: ['network'] };
  const ends = Object.entries(keys).map(([name, queryKey]) => {
    asked[name] = 0;
    const queryFn = () => Promise.resolve((asked[name] = (asked[name] ?? 0) + 1));
    return new QueryObserver(client, { queryKey, queryFn }).subscribe(() => undefined);
  });
  const states: boolean[] = [];
  const end = followAccount(client, (isLive) => states.push(isLive));
  const [stream] = Stream.opened;
  if (stream === undefined) throw new Error('no stream was opened');
  ends.push(end);
  return { stream, asked, states, end: () => ends.forEach((one) => one()) };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('each event makes counts be asked for within a second, money within three, and lists within ten', async () => {
  const { stream, asked, states, end } = watched();
  await pass(0);
  stream.open();
  stream.tell();
  await pass(0);
  expect(asked).toEqual({ requests: 2, money: 2, keys: 2, network: 1 });
  await pass(10_000);
  for (let event = 0; event < 40; event += 1) {
    stream.tell();
    // oxlint-disable-next-line no-await-in-loop
    await pass(500);
  }
  expect(asked).toEqual({ requests: 23, money: 10, keys: 7, network: 1 });
  await pass(20_000);
  expect(asked, 'the last news is asked about, and then nothing').toEqual({ requests: 23, money: 11, keys: 8, network: 1 });
  expect(states).toEqual([true]);
  end();
});

test('a page whose stream is refused asks every ten seconds, says that it is not live, and is live as soon as there is a place', async () => {
  const { stream, asked, states, end } = watched();
  await pass(0);
  stream.refuse();
  await pass(5_900);
  expect(states).toEqual([]);
  await pass(200);
  expect(states).toEqual([false]);
  const before = asked['requests'] ?? 0;
  await pass(30_000);
  expect(asked['requests']).toBe(before + 3);
  expect(Stream.opened.length).toBeGreaterThan(1);
  Stream.opened.at(-1)?.open();
  expect(states).toEqual([false, true]);
  await pass(10_000);
  const open = asked['requests'];
  await pass(40_000);
  expect(asked['requests']).toBe(open);
  end();
});

test('a stream that ends and is opened again in time is no news to the reader, and nothing of it is missed', async () => {
  const { stream, asked, states, end } = watched();
  stream.open();
  await pass(2_000);
  const before = asked['requests'] ?? 0;
  stream.breakOff();
  stream.breakOff();
  await pass(3_000);
  stream.open();
  await pass(10_000);
  expect(asked['requests']).toBe(before + 1);
  expect(states).toEqual([true, true]);
  end();
});

test('a minute without news is asked about, for time moves on; and nothing is asked once nobody looks', async () => {
  const { stream, asked, end } = watched();
  stream.open();
  await pass(0);
  await pass(61_000);
  expect(asked['requests']).toBe(2);
  end();
  stream.tell();
  await pass(120_000);
  expect(asked['requests']).toBe(2);
  expect(stream.readyState).toBe(Stream.CLOSED);
});

test('a question that takes longer than news are apart is answered, and asked once more', async () => {
  const client = new QueryClient();
  let [begun, ended] = [0, 0];
  const queryFn = async ({ signal }: { signal: AbortSignal }) => {
    begun += 1;
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    if (!signal.aborted) ended += 1;
    return ended;
  };
  const endQuery = new QueryObserver(client, { queryKey: ['traffic', 'summary'], queryFn }).subscribe(() => undefined);
  const endFollowing = followAccount(client, () => undefined);
  Stream.opened[0]?.open();
  await pass(1_000);
  Stream.opened[0]?.tell();
  await pass(1_000);
  Stream.opened[0]?.tell();
  await pass(20_000);
  expect([begun, ended]).toEqual([2, 2]);
  endFollowing();
  endQuery();
});

test('calls come at once, then no more than once in the time, and the last is not lost', () => {
  const action = vi.fn<() => void>();
  const { call, cancel } = atMostEvery(() => 1_000, action);
  call();
  call();
  call();
  expect(action).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1_000);
  expect(action).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(5_000);
  expect(action).toHaveBeenCalledTimes(2);
  call();
  expect(action).toHaveBeenCalledTimes(3);
  call();
  cancel();
  vi.advanceTimersByTime(5_000);
  expect(action).toHaveBeenCalledTimes(3);
});

test('a pause without a call in it ends the row', () => {
  const rows: number[] = [];
  const inRow = (inARow: number) => {
    rows.push(inARow);
    return 1_000;
  };
  const { call, cancel } = atMostEvery(inRow, vi.fn<() => void>());
  call();
  for (let pause = 0; pause < 2; pause += 1) {
    call();
    vi.advanceTimersByTime(1_000);
  }
  vi.advanceTimersByTime(1_000);
  call();
  expect(rows).toEqual([0, 1, 2, 0]);
  cancel();
});

test('pauses between attempts grow to a limit', () => {
  expect([0, 1, 2, 3, 4, 9].map(retryDelayMs)).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
});
