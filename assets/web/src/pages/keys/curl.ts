/** A command that is ready to run. */
import type { ServiceName } from '../../server/names';

/** Where HAProxy listens for each service, as the shipped configuration has it, and something cheap to ask there. */
const GATEWAY: Record<ServiceName, { port: number; path: string }> = {
  seal: { port: 20_002, path: '/v1/service' },
  grpc: { port: 20_003, path: '/sui.rpc.v2.LedgerService/GetServiceInfo' },
  graphql: { port: 20_004, path: '/graphql' },
};

/** Scheme, host and port that requests to a service are sent to. */
export interface Address {
  url: string;
  /** The operator has not said it: it is this page's host and the port of the shipped configuration. */
  isGuess: boolean;
}

export function addressOf(service: ServiceName, configured: Record<string, string>, host: string): Address {
  const url = Object.hasOwn(configured, service) ? configured[service] : undefined;
  return url === undefined ? { url: `http://${host}:${GATEWAY[service].port}`, isGuess: true } : { url, isGuess: false };
}

export function curlLine(service: ServiceName, key: string, { url }: Address): string {
  const address = url + GATEWAY[service].path;
  const header = `-H 'X-API-Key: ${key}'`;
  if (service === 'graphql') return `curl ${header} -H 'Content-Type: application/json' \\\n  -d '{"query":"{ chainIdentifier }"}' ${address}`;
  if (service === 'seal') return `curl ${header} ${address}`;
  // Without TLS nothing tells the two sides to speak HTTP/2.
  return `curl ${header} ${url.startsWith('https:') ? '--http2' : '--http2-prior-knowledge'} ${address}`;
}
