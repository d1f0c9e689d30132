/** A command that is ready to run. */
import type { ServiceName } from '../../server/names';

/** Where HAProxy listens for each service, as the shipped configuration has it, and something cheap to ask there. */
const GATEWAY: Record<ServiceName, { port: number; path: string }> = {
  seal: { port: 20_002, path: '/v1/service' },
  grpc: { port: 20_003, path: '/sui.rpc.v2.LedgerService/GetServiceInfo' },
  graphql: { port: 20_004, path: '/graphql' },
};

export function curlLine(service: ServiceName, key: string): string {
  const { port, path } = GATEWAY[service];
  const address = `http://${window.location.hostname}:${port}${path}`;
  const header = `-H 'X-API-Key: ${key}'`;
  if (service === 'graphql') return `curl ${header} -H 'Content-Type: application/json' \\\n  -d '{"query":"{ chainIdentifier }"}' ${address}`;
  return `curl ${header} ${service === 'grpc' ? '--http2-prior-knowledge ' : ''}${address}`;
}
