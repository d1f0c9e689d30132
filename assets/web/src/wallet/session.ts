/** Signing in and out with a wallet, and finding it again when something is to be signed later. */
import type { QueryClient } from '@tanstack/react-query';
import type { Wallet, WalletAccount } from '@wallet-standard/base';
import { api, ask, tell } from '../server/api';
import { unlessGivenUp } from './cancel';
import { WalletRefusal, connect, disconnect, signText, walletNamed } from './standard';

/** The name of the wallet that signed in. Its presence also says that asking the server for a session is worth it. */
export const STORAGE_KEY = 'suiftly.wallet';

/** Nothing is sent any more once it is given up. */
export async function signIn(wallet: Wallet, account: WalletAccount, signal: AbortSignal): Promise<void> {
  const { address } = account;
  const { message, nonce } = await ask(api.POST('/api/auth/connect-wallet', { body: { address } }));
  const signature = await unlessGivenUp(() => signText(wallet, account, message), signal);
  await ask(api.POST('/api/auth/verify-signature', { body: { address, signature, nonce } }));
  store(wallet.name);
}

export async function signOut(client: QueryClient): Promise<void> {
  const wallet = walletNamed(storedWallet() ?? '');
  await tell(api.POST('/api/auth/logout'));
  if (wallet !== undefined) await disconnect(wallet).catch(() => undefined);
  forget();
  client.clear();
}

/** Signs with the wallet of the account that is signed in. */
export async function signAs(address: string, text: string): Promise<string> {
  const name = storedWallet() ?? '';
  const wallet = walletNamed(name);
  if (wallet === undefined) throw new WalletRefusal(`${name === '' ? 'Your wallet' : name} is not in this browser. Sign in with it again.`);
  const account = await accountOf(wallet, address);
  if (account === undefined) throw new WalletRefusal(`Choose the account ${address.slice(0, 8)}…${address.slice(-4)} in ${name}, and try again.`);
  return signText(wallet, account, text);
}

async function accountOf(wallet: Wallet, address: string): Promise<WalletAccount | undefined> {
  const isIt = (account: WalletAccount) => account.address.toLowerCase() === address;
  const lent = wallet.accounts.find(isIt) ?? (await connect(wallet, true)).find(isIt);
  return lent ?? (await connect(wallet, false)).find(isIt);
}

/** `null` if nobody has signed in here. */
export function storedWallet(): string | null {
  try {
    return localStorage.getItem(STORAGE_KEY);
  } catch {
    // Without storage nothing is known, and the server has to be asked.
    return '';
  }
}

export function forget(): void {
  try {
    localStorage.removeItem(STORAGE_KEY);
  } catch {
    // There was nothing to forget.
  }
}

function store(name: string): void {
  try {
    // Other tabs hear of a change only, and another account may be in the same wallet.
    localStorage.removeItem(STORAGE_KEY);
    localStorage.setItem(STORAGE_KEY, name);
  } catch {
    // The session works without; only signing later asks for the wallet again.
  }
}
