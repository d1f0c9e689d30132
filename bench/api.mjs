// Signs in to a running server and makes a key, or measures sign-ins:
//   node bench/api.mjs prepare URL                    prints the Cookie header of a customer with a service and two keys
//   node bench/api.mjs sign-ins URL SECONDS CLIENTS   prints {"sign_ins_per_s": …}
import { createRequire } from 'node:module';
import http from 'node:http';

const require = createRequire(new URL('../assets/web/package.json', import.meta.url));
const { Ed25519Keypair } = await import(require.resolve('@mysten/sui/keypairs/ed25519'));

const [command, url, seconds = '5', clients = '64'] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(clients) });

function send(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const json = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const request = http.request(new URL(path, url), { method, agent, headers: { ...json, ...headers } }, (response) => {
      let answer = '';
      response.on('data', (part) => (answer += part));
      response.on('end', () => {
        if (response.statusCode >= 300) reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`));
        else resolve({ headers: response.headers, body: answer === '' ? undefined : JSON.parse(answer) });
      });
    });
    request.on('error', reject);
    request.end(text);
  });
}

const connect = (address) => send('POST', '/api/auth/connect-wallet', { address });
const verify = (address, nonce, signature) => send('POST', '/api/auth/verify-signature', { address, nonce, signature });
const sign = async (keypair, message) => (await keypair.signPersonalMessage(new TextEncoder().encode(message))).signature;

async function signIn(keypair) {
  const address = keypair.toSuiAddress();
  const { body } = await connect(address);
  return verify(address, body.nonce, await sign(keypair, body.message));
}

async function prepare() {
  const { headers } = await signIn(new Ed25519Keypair());
  const cookie = headers['set-cookie'].map((value) => value.split(';')[0]).find((value) => value.includes('access'));
  await send('POST', '/api/services/grpc/subscribe', { tier: 'pro' }, { cookie });
  for (let number = 0; number < 2; number++) await send('POST', '/api/services/grpc/api-keys', {}, { cookie });
  console.log(`Cookie: ${cookie}`);
}

/** Signatures cost a client in JavaScript far more than the server, so they are made before the clock starts. */
async function measureSignIns() {
  const wanted = Number(seconds) * 2500;
  const ready = [];
  for (let number = 0; number < wanted; number++) {
    const keypair = new Ed25519Keypair();
    const address = keypair.toSuiAddress();
    const { body } = await connect(address);
    ready.push({ address, nonce: body.nonce, signature: await sign(keypair, body.message) });
  }
  let done = 0;
  const begun = performance.now();
  const client = async () => {
    for (let next = ready.pop(); next; next = ready.pop()) {
      // Both requests of a sign-in are counted: a challenge is asked for again, and thrown away.
      await connect(next.address);
      await verify(next.address, next.nonce, next.signature);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: Number(clients) }, client));
  console.log(JSON.stringify({ sign_ins_per_s: Math.round(done / ((performance.now() - begun) / 1000)), sign_ins: done }));
}

await (command === 'prepare' ? prepare() : measureSignIns());
agent.destroy();
