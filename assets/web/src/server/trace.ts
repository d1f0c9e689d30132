/** What a gateway writes about a request in codes, in words. */

/** How a request ends that nothing has cut short. */
export const CLEAN = '--';

/** The events of the log contract. */
const EVENTS: Record<number, string> = {
  0: 'None',
  10: 'No API key in the request',
  11: 'The key was not accepted',
  12: 'The key is malformed',
  13: 'The headers are too large',
  14: 'The request came too slowly',
  15: 'The TLS handshake failed',
  16: 'No such route',
  20: 'The address is not in the allowlist',
  21: 'Too many requests from this address',
  30: 'Not authorised',
  31: 'The key is revoked or expired',
  32: 'The key is unknown',
  50: 'The service failed',
  51: 'The service answered with an error',
  52: 'The service broke off',
  53: 'The service answered something invalid',
  54: 'The service could not be reached',
  60: 'The service refused the connection',
  61: 'The service took too long',
  62: 'No server was there',
  63: 'It waited too long for a server',
};

export function eventText(event: number): string {
  return EVENTS[event] ?? `Event ${event}`;
}

/** HAProxy's first letter says who ended it, the second when. */
const WHO: Record<string, string> = {
  C: 'The client hung up',
  c: 'The client was too slow',
  S: 'The service hung up',
  s: 'The service was too slow',
  P: 'The gateway stopped it',
  L: 'The gateway answered',
  R: 'The gateway was out of room',
  I: 'The gateway failed',
  D: 'The server was taken away',
  U: 'The server came back',
  K: 'The operator ended it',
};

export function endText(termination: string): string {
  if (termination.startsWith(CLEAN)) return 'Normally';
  return WHO[termination.charAt(0)] ?? 'Cut short';
}
