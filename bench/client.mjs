// A client of a running server, for the benchmarks.
import { createRequire } from 'node:module';
import http from 'node:http';

const require = createRequire(new URL('../assets/web/package.json', import.meta.url));
export const { Ed25519Keypair } = await import(require.resolve('@mysten/sui/keypairs/ed25519'));

export const sign = async (keypair, message) => (await keypair.signPersonalMessage(new TextEncoder().encode(message))).signature;

/** Of the server at `url`, over at most so many connections, which `end` closes. */
export function clientOf(url, connections) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });

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

  /** The `Cookie` header of a new session. */
  async function signIn(keypair) {
    const address = keypair.toSuiAddress();
    const { body } = await connect(address);
    const { headers } = await verify(address, body.nonce, await sign(keypair, body.message));
    return headers['set-cookie'].map((value) => value.split(';')[0]).find((value) => value.includes('access'));
  }

  return { send, connect, verify, signIn, end: () => agent.destroy() };
}
