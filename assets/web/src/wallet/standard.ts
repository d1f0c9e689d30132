/** Wallets that announce themselves by the Wallet Standard and can sign for a Sui address. */
import { getWallets } from '@wallet-standard/app';
import type { Wallet, WalletAccount } from '@wallet-standard/base';
import { useSyncExternalStore } from 'react';

interface ConnectFeature {
  connect(input?: { silent?: boolean }): Promise<{ accounts: readonly WalletAccount[] }>;
}
interface DisconnectFeature {
  disconnect(): Promise<void>;
}
interface SignFeature {
  signPersonalMessage(input: { message: Uint8Array; account: WalletAccount; chain?: string }): Promise<{ signature: string }>;
}

/** A person said no, or the wallet did; it says why in its own words. */
export class WalletRefusal extends Error {}

const registry = getWallets();
let known = suiWallets();

export function useWallets(): readonly Wallet[] {
  return useSyncExternalStore(subscribe, () => known);
}

export function registerWallet(wallet: Wallet): void {
  registry.register(wallet);
}

export function walletNamed(name: string): Wallet | undefined {
  return suiWallets().find((wallet) => wallet.name === name);
}

/** The accounts that the wallet lends to this page; without `silent` it may ask the person. */
export async function connect(wallet: Wallet, silent: boolean): Promise<readonly WalletAccount[]> {
  const feature = wallet.features['standard:connect'] as ConnectFeature;
  const { accounts } = await said(feature.connect({ silent }));
  return accounts.filter((account) => account.chains.some(isSui));
}

export async function disconnect(wallet: Wallet): Promise<void> {
  const feature = wallet.features['standard:disconnect'] as DisconnectFeature | undefined;
  await feature?.disconnect();
}

/** The wallet's signature of a text, in base64 with the scheme's flag in front. */
export async function signText(wallet: Wallet, account: WalletAccount, text: string): Promise<string> {
  const feature = wallet.features['sui:signPersonalMessage'] as SignFeature;
  const chain = account.chains.find(isSui);
  const input = { message: new TextEncoder().encode(text), account, ...(chain === undefined ? {} : { chain }) };
  return (await said(feature.signPersonalMessage(input))).signature;
}

async function said<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new WalletRefusal(error instanceof Error && error.message !== '' ? error.message : 'The wallet refused.', { cause: error });
  }
}

function subscribe(listener: () => void): () => void {
  const refresh = () => {
    known = suiWallets();
    listener();
  };
  const stops = [registry.on('register', refresh), registry.on('unregister', refresh)];
  // One may have come between the first look and this.
  if (suiWallets().length !== known.length) refresh();
  return () => stops.forEach((stop) => stop());
}

function suiWallets(): readonly Wallet[] {
  return registry
    .get()
    .filter((wallet) => wallet.chains.some(isSui) && 'standard:connect' in wallet.features && 'sui:signPersonalMessage' in wallet.features);
}

function isSui(chain: string): boolean {
  return chain.startsWith('sui:');
}
