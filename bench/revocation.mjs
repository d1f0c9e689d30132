// Revokes a key and turns it on again, again and again, and looks when HAProxy obeys, while others send requests:
//   node bench/revocation.mjs API GATEWAY COUNT SUIFTLY CONFIG
// Prints one JSON object. Times begin before the call and end with HAProxy's answer; it is asked every millisecond.
import { execFileSync, spawn } from 'node:child_process';
import { unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { Ed25519Keypair, clientOf } from './client.mjs';

const [api, gateway, count, suiftly, config] = process.argv.slice(2);
const WITHIN_MS = 30_000;
const CONNECTIONS = 20;
/** Each within the limits of its own. */
const CUSTOMERS = 20;
const { send, signIn, end } = clientOf(api, 4);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function ask(key) {
  return new Promise((resolve, reject) => {
    const request = http.get(new URL('/v1/x', gateway), { agent, headers: { 'x-api-key': key } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
  });
}

async function until(status, key, begun) {
  for (let answer = await ask(key); answer !== status; answer = await ask(key)) {
    if (performance.now() - begun > WITHIN_MS) throw new Error(`HAProxy still answers ${answer}, not ${status}`);
    await sleep(1);
  }
  return performance.now() - begun;
}

/** Requests of good keys in turn, a thousand a second: each of the connections waits between two of its own. */
function load(keys) {
  const script = join(tmpdir(), `suiftly-bench-${process.pid}.lua`);
  const list = keys.map((key) => `"${key}"`).join(', ');
  writeFileSync(
    script,
    `local keys, turn = {${list}}, 0
     function delay() return ${CONNECTIONS - 1} end
     function request()
       turn = turn % #keys + 1
       wrk.headers["X-API-Key"] = keys[turn]
       return wrk.format()
     end\n`,
  );
  const arguments_ = ['-t1', `-c${CONNECTIONS}`, '-d3600s', '-s', script, new URL('/v1/y', gateway).href];
  const wrk = spawn('wrk', arguments_);
  process.on('exit', () => wrk.kill());
  let report = '';
  wrk.stdout.on('data', (part) => (report += part));
  return async () => {
    const ended = new Promise((resolve) => wrk.on('close', resolve));
    wrk.kill('SIGINT');
    await ended;
    unlinkSync(script);
    const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1] ?? 0);
    const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(report)?.[1] ?? 0);
    const broken = [...report.matchAll(/(?:connect|read|write|timeout) (\d+)/g)].reduce((sum, [, many]) => sum + Number(many), 0);
    return { requests_per_s: Math.round(rate), failed: refused + broken };
  };
}

const round = (ms) => Math.round(ms * 10) / 10;
const percentile = (times, percent) => round(times.toSorted((a, b) => a - b)[Math.ceil((times.length * percent) / 100) - 1]);

/** A customer with the service on: a key, and a function that sends with the session. */
async function subscribed() {
  const cookie = await signIn(new Ed25519Keypair());
  const call = async (method, path, body) => (await send(method, path, body, { cookie })).body;
  const { customer_id: customer } = await call('GET', '/api/customer');
  const credit = ['billing', 'credit', '--customer', `${customer}`, '--amount', '1000', '--reason', 'promo'];
  execFileSync(suiftly, [...credit, '--config', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  await call('POST', '/api/services/grpc/subscribe', { tier: 'enterprise' });
  await call('POST', '/api/services/grpc/enable');
  const key = await call('POST', '/api/services/grpc/api-keys', { network: 'mainnet' });
  await until(200, key.text, performance.now());
  return { call, key };
}

const { call, key } = await subscribed();
const others = [];
while (others.length < CUSTOMERS) others.push((await subscribed()).key.text);
const stopLoad = load(others);
await sleep(500);
const act = async (action, status) => {
  const begun = performance.now();
  await call('POST', `/api/services/grpc/api-keys/${key.api_key_id}/${action}`);
  return until(status, key.text, begun);
};
const [enabled, revoked] = [[], []];
for (let number = 0; number < Number(count); number++) {
  revoked.push(await act('revoke', 401));
  enabled.push(await act('enable', 200));
}
const loaded = await stopLoad();
const times = (name, all) => ({ [`${name}_p50_ms`]: percentile(all, 50), [`${name}_p99_ms`]: percentile(all, 99) });
console.log(JSON.stringify({ ...times('enable', enabled), ...times('revoke', revoked), ...loaded }));
agent.destroy();
end();
