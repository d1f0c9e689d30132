// Signs in to a running server and makes a key, or measures sign-ins:
//   node bench/api.mjs prepare URL                    prints the Cookie header of a customer with a service and two keys
//   node bench/api.mjs sign-ins URL SECONDS CLIENTS   prints {"sign_ins_per_s": …}
import { Ed25519Keypair, clientOf, sign } from './client.mjs';

const [command, url, seconds = '5', clients = '64'] = process.argv.slice(2);
const { send, connect, verify, signIn, end } = clientOf(url, Number(clients));

async function prepare() {
  const cookie = await signIn(new Ed25519Keypair());
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
end();
