// Writes vectors.jsonl beside this file: sign-in signatures of every scheme of Sui, good and bad, made by @mysten/sui.
//
//   node tests/data/signatures/make.mjs        (after `make setup`, which installs the package in assets/web)
//
// Keys come from fixed seeds and ECDSA is deterministic, so the file comes out the same each time.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(new URL('../../../assets/web/package.json', import.meta.url));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { Ed25519Keypair } = await load('@mysten/sui/keypairs/ed25519');
const { Secp256k1Keypair } = await load('@mysten/sui/keypairs/secp256k1');
const { Secp256r1Keypair } = await load('@mysten/sui/keypairs/secp256r1');
const { PasskeyKeypair } = await load('@mysten/sui/keypairs/passkey');
const { MultiSigPublicKey } = await load('@mysten/sui/multisig');
const { getZkLoginSignature } = await load('@mysten/sui/zklogin');
const { fromBase64, toBase64 } = await load('@mysten/sui/utils');
const { p256 } = await load('@noble/curves/nist.js');
const { secp256k1 } = await load('@noble/curves/secp256k1.js');
const { sha256 } = await load('@noble/hashes/sha2.js');

const ORIGIN = 'https://dash.example.com';
const MESSAGES = {
  short: 'hello',
  challenge:
    'dash.example.com wants you to sign in with your Sui account:\n0x' + '1'.repeat(64) +
    '\n\nSigns in to suiftly. This request moves no funds and costs nothing.\n\nURI: https://dash.example.com\nVersion: 1',
  empty: '',
  unicode: 'Grüße, 世界, 👋\r\n\ttabs and \u0000 zero',
  long: 'x'.repeat(4096),
};
const seed = (number) => new Uint8Array(32).fill(number);
const bytes = (text) => new TextEncoder().encode(text);
const rows = [];
const add = (name, scheme, address, message, signature, expect, origin) =>
  rows.push({ name, scheme, address, message, signature, ...(origin && { origin }), expect });
const sign = async (keypair, message) => (await keypair.signPersonalMessage(bytes(message))).signature;
const changed = (signature, change) => toBase64(change(Uint8Array.from(fromBase64(signature))));

/** Good ones over every message, and every way of being bad that does not depend on the scheme. */
async function cover(scheme, keypair, stranger, origin) {
  const address = keypair.toSuiAddress();
  for (const [kind, message] of Object.entries(MESSAGES)) {
    add(`${scheme} ${kind}`, scheme, address, message, await sign(keypair, message), 'ok', origin);
  }
  const good = await sign(keypair, MESSAGES.short);
  const bad = (name, signature, message = MESSAGES.short, of = address) =>
    add(`${scheme} ${name}`, scheme, of, message, signature, 'invalid', origin);
  bad('other message', good, 'hello!');
  bad('other address', good, MESSAGES.short, stranger.toSuiAddress());
  bad('signature of a stranger', await sign(stranger, MESSAGES.short));
  bad('no message', good, '');
  bad('cut by one byte', changed(good, (raw) => raw.slice(0, -1)));
  bad('cut to the flag', changed(good, (raw) => raw.slice(0, 1)));
  bad('one byte more', changed(good, (raw) => Uint8Array.of(...raw, 0)));
  bad('changed in the middle', changed(good, (raw) => raw.with(Math.floor(raw.length / 2), raw[Math.floor(raw.length / 2)] ^ 1)));
  bad('changed at the start', changed(good, (raw) => raw.with(1, raw[1] ^ 1)));
  bad('changed at the end', changed(good, (raw) => raw.with(raw.length - 1, raw[raw.length - 1] ^ 1)));
  for (const flag of [0, 1, 2, 3, 4, 5, 6, 7, 255]) {
    if (flag !== fromBase64(good)[0]) bad(`flag ${flag}`, changed(good, (raw) => raw.with(0, flag)));
  }
  bad('transaction instead of a message', (await keypair.signTransaction(bytes(MESSAGES.short))).signature);
  bad('raw signature without an intent', toBase64(Uint8Array.of(fromBase64(good)[0], ...(await keypair.sign(bytes(MESSAGES.short))))));
  bad('empty', '');
  bad('not base64', 'not base64!');
  bad('base64 with blanks', ` ${good} `);
  bad('hexadecimal', Buffer.from(fromBase64(good)).toString('hex'));
}

/** The other s that satisfies the same equation. Sui's crates take it for secp256r1 only, which is why a signature
 * identifies nothing here: a challenge does, and it is good once. */
const highS = (curve) => (raw) => {
  const signature = curve.Signature.fromBytes(raw.slice(1, 65), 'compact');
  const other = new curve.Signature(signature.r, curve.Point.Fn.neg(signature.s)).toBytes('compact');
  return Uint8Array.of(raw[0], ...other, ...raw.slice(65));
};

const ed25519 = (number) => Ed25519Keypair.fromSecretKey(seed(number));
const k1 = (number) => Secp256k1Keypair.fromSecretKey(seed(number));
const r1 = (number) => Secp256r1Keypair.fromSecretKey(seed(number));

await cover('ed25519', ed25519(1), ed25519(2));
await cover('secp256k1', k1(3), k1(4));
await cover('secp256r1', r1(5), r1(6));
for (const [scheme, keypair, curve] of [['secp256k1', k1(3), secp256k1], ['secp256r1', r1(5), p256]]) {
  const good = await sign(keypair, MESSAGES.short);
  add(`${scheme} high s`, scheme, keypair.toSuiAddress(), MESSAGES.short, changed(good, highS(curve)), scheme === 'secp256r1' ? 'ok' : 'invalid');
}

// ---- multisig

function multisig(threshold, members, signers) {
  const publicKey = MultiSigPublicKey.fromPublicKeys({
    threshold,
    publicKeys: members.map(([keypair, weight]) => ({ publicKey: keypair.getPublicKey(), weight })),
  });
  const combine = async (method, data) =>
    publicKey.combinePartialSignatures(await Promise.all(signers.map(async (signer) => (await signer[method](data)).signature)));
  return {
    toSuiAddress: () => publicKey.toSuiAddress(),
    signPersonalMessage: async (data) => ({ signature: await combine('signPersonalMessage', data) }),
    signTransaction: async (data) => ({ signature: await combine('signTransaction', data) }),
    sign: async (data) => signers[0].sign(data),
  };
}

const [a, b, c] = [ed25519(1), k1(3), r1(5)];
const mixed = [[a, 1], [b, 1], [c, 1]];
await cover('multisig', multisig(2, mixed, [a, b]), multisig(2, [[a, 1], [b, 1]], [a, b]));
const multisigRow = async (name, group, expect, message = MESSAGES.short) =>
  add(`multisig ${name}`, 'multisig', group.toSuiAddress(), message, await sign(group, message), expect);
await multisigRow('1 of 1', multisig(1, [[a, 1]], [a]), 'ok');
await multisigRow('other two of three', multisig(2, mixed, [b, c]), 'ok');
await multisigRow('three of three', multisig(3, mixed, [a, b, c]), 'ok');
await multisigRow('weights that suffice', multisig(5, [[a, 5], [b, 2], [c, 2]], [a]), 'ok');
await multisigRow('weights that do not suffice', multisig(5, [[a, 5], [b, 2], [c, 2]], [b, c]), 'invalid');
await multisigRow('below the threshold', multisig(2, mixed, [a]), 'invalid');
const ten = Array.from({ length: 10 }, (_, index) => ed25519(20 + index));
await multisigRow('ten of ten', multisig(10, ten.map((keypair) => [keypair, 1]), ten), 'ok');
{
  const group = multisig(2, mixed, [a, b]);
  const good = await sign(group, MESSAGES.short);
  // flag, count, a's flag and 64 bytes, b's flag and 64 bytes, then the bitmap (two bytes).
  const bitmap = 2 + 65 + 65;
  for (const [name, value] of [['a bitmap of other members', 0b101], ['a bitmap of one', 0b001], ['an empty bitmap', 0], ['a bitmap beyond the members', 0b1001]]) {
    add(`multisig ${name}`, 'multisig', group.toSuiAddress(), MESSAGES.short, changed(good, (raw) => raw.with(bitmap, value)), 'invalid');
  }
  const twice = changed(good, (raw) => Uint8Array.of(...raw.slice(0, 67), ...raw.slice(2, 67), ...raw.slice(132)));
  add('multisig one signer twice', 'multisig', group.toSuiAddress(), MESSAGES.short, twice, 'invalid');
}

// ---- passkeys, of an authenticator in software

function authenticator(number, clientData) {
  const secret = seed(number);
  const authenticatorData = Uint8Array.of(...sha256(bytes('dash.example.com')), 0x1d, 0, 0, 0, 0);
  return {
    create: async () => ({
      rawId: seed(number),
      response: {
        // The DER header of a P-256 key, and the key.
        getPublicKey: () => Buffer.concat([Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'), p256.getPublicKey(secret, false)]),
      },
    }),
    get: async (challenge) => {
      const clientDataJSON = bytes(JSON.stringify(clientData(Buffer.from(challenge).toString('base64url'))));
      const signed = Uint8Array.of(...authenticatorData, ...sha256(clientDataJSON));
      const signature = p256.sign(signed, secret, { format: 'der', lowS: true });
      return { response: { authenticatorData, clientDataJSON, signature } };
    },
  };
}

const used = (challenge) => ({ type: 'webauthn.get', challenge, origin: ORIGIN, crossOrigin: false });
const passkey = (number, clientData = used) => PasskeyKeypair.getPasskeyInstance(authenticator(number, clientData));
await cover('passkey', await passkey(7), await passkey(8), ORIGIN);
for (const [name, clientData] of [
  ['another challenge', (challenge) => ({ ...used(challenge), challenge: Buffer.from(seed(9)).toString('base64url') })],
  ['a registration', (challenge) => ({ ...used(challenge), type: 'webauthn.create' })],
  ['another origin', (challenge) => ({ ...used(challenge), origin: 'https://evil.example' })],
  ['no origin', ({ ...challenge }) => ({ type: 'webauthn.get', challenge })],
]) {
  const keypair = await passkey(7, clientData);
  add(`passkey ${name}`, 'passkey', keypair.toSuiAddress(), MESSAGES.short, await sign(keypair, MESSAGES.short), 'invalid', ORIGIN);
}

for (const [name, clientData, expect] of [
  ['a passkey of this site', used, 'ok'],
  ['a passkey of another site', (challenge) => ({ ...used(challenge), origin: 'https://evil.example' }), 'invalid'],
]) {
  const member = await passkey(7, clientData);
  const group = multisig(2, [[a, 1], [member, 1]], [a, member]);
  add(`multisig ${name}`, 'multisig', group.toSuiAddress(), MESSAGES.short, await sign(group, MESSAGES.short), expect, ORIGIN);
}

// ---- zkLogin: of the right form; the proof itself is not looked at

const zkLogin = (userSignature) =>
  getZkLoginSignature({
    inputs: {
      proofPoints: { a: ['1', '2', '1'], b: [['1', '2'], ['3', '4'], ['1', '0']], c: ['1', '2', '1'] },
      issBase64Details: { value: 'yJpc3MiOiJodHRwczovL2FjY291bnRzLmdvb2dsZS5jb20iLC', indexMod4: 1 },
      headerBase64: Buffer.from('{"alg":"RS256","kid":"1","typ":"JWT"}').toString('base64url'),
      addressSeed: '12345',
    },
    maxEpoch: '10',
    userSignature,
  });
const ephemeral = ed25519(1);
add('zklogin', 'zklogin', ephemeral.toSuiAddress(), MESSAGES.short, zkLogin(await sign(ephemeral, MESSAGES.short)), 'zklogin');

writeFileSync(new URL('vectors.jsonl', import.meta.url), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
console.log(`${rows.length} vectors`);
