import { expect, test } from 'vitest';
import { addressOf, curlLine } from './curl';

test('a command goes where the operator says, and otherwise to this host, which is told', () => {
  const configured = { seal: 'https://seal.example.com' };
  expect(addressOf('seal', configured, 'dash.example.com')).toEqual({ url: 'https://seal.example.com', isGuess: false });
  expect(addressOf('grpc', configured, 'dash.example.com')).toEqual({ url: 'http://dash.example.com:20003', isGuess: true });
});

test('each service is asked in its own way', () => {
  for (const [service, url, line] of [
    ['seal', 'https://x', "curl -H 'X-API-Key: K' https://x/v1/service"],
    ['grpc', 'https://x', "curl -H 'X-API-Key: K' --http2 https://x/sui.rpc.v2.LedgerService/GetServiceInfo"],
    ['grpc', 'http://x:1', "curl -H 'X-API-Key: K' --http2-prior-knowledge http://x:1/sui.rpc.v2.LedgerService/GetServiceInfo"],
    ['graphql', 'https://x', `curl -H 'X-API-Key: K' -H 'Content-Type: application/json' \\\n  -d '{"query":"{ chainIdentifier }"}' https://x/graphql`],
  ] as const) {
    expect(curlLine(service, 'K', { url, isGuess: false })).toBe(line);
  }
});
