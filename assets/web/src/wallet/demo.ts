/**
 * A wallet for trying out: a real ed25519 key pair, kept in this browser in the clear, that signs for real. It registers like any
 * other wallet, so nothing else knows that it is one. Its code is fetched when it is used for the first time.
 */
import type { Wallet, WalletAccount } from '@wallet-standard/base';
import type { Ed25519Keypair } from '@mysten/sui/keypairs/ed25519';
import { registerWallet } from './standard';

export const DEMO_WALLET = 'Demo wallet';

const STORAGE_KEY = 'suiftly.demo-wallet';
const ICON = `data:image/svg+xml;base64,${btoa(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#5f636b"/><path d="M5 4h6M6.5 4v3L4 12h8L9.5 7V4" stroke="#fff" fill="none" stroke-linejoin="round"/></svg>',
)}` as const;

let pair: Promise<Ed25519Keypair> | undefined;

let isRegistered = false;

/** It is for a simulated chain: its key is unprotected, so no other money may be in reach of it. */
export function registerDemoWallet(): void {
  if (isRegistered) return;
  isRegistered = true;
  registerWallet(wallet);
}

const wallet: Wallet = {
  version: '1.0.0',
  name: DEMO_WALLET,
  icon: ICON,
  chains: ['sui:mainnet', 'sui:testnet'],
  accounts: [],
  features: {
    'standard:connect': { version: '1.0.0', connect: async () => ({ accounts: [await account()] }) },
    'standard:disconnect': { version: '1.0.0', disconnect: () => Promise.resolve() },
    'standard:events': { version: '1.0.0', on: () => () => undefined },
    'sui:signPersonalMessage': {
      version: '1.1.0',
      signPersonalMessage: async ({ message }: { message: Uint8Array }) => (await keyPair()).signPersonalMessage(message),
    },
  },
};

async function account(): Promise<WalletAccount> {
  const key = (await keyPair()).getPublicKey();
  return {
    address: key.toSuiAddress(),
    publicKey: key.toRawBytes(),
    chains: wallet.chains,
    features: ['sui:signPersonalMessage'],
    label: DEMO_WALLET,
  };
}

function keyPair(): Promise<Ed25519Keypair> {
  pair ??= makePair();
  return pair;
}

async function makePair(): Promise<Ed25519Keypair> {
  const { Ed25519Keypair } = await import('@mysten/sui/keypairs/ed25519');
  const stored = readKey();
  if (stored !== null) return Ed25519Keypair.fromSecretKey(stored);
  const made = Ed25519Keypair.generate();
  try {
    localStorage.setItem(STORAGE_KEY, made.getSecretKey());
  } catch {
    // Without storage the key lasts until the page is closed.
  }
  return made;
}

function readKey(): string | null {
  try {
    return localStorage.getItem(STORAGE_KEY);
  } catch {
    return null;
  }
}
