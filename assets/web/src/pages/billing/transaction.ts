/** A transaction from the wish to the books: it is made, signed by the wallet, handed in, and watched until it is over. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { customerQuery } from '../../server/queries';
import { refreshAccount } from '../../server/refresh';
import { unlessGivenUp } from '../../wallet/cancel';
import { signAs } from '../../wallet/session';
import { WalletRefusal } from '../../wallet/standard';

export type Transaction = Schemas['WalletTransaction'];
export type TransactionAction = Schemas['NewWalletTransaction']['action'];
/** What the page waits for. */
export type Waiting = 'building' | 'wallet' | 'sending' | 'chain';

const WATCH_EVERY_MS = 400;
/** From these, nothing follows. */
const OVER = new Set(['credited', 'failed']);

export interface Flow {
  start: (action: TransactionAction, amountMicros: number) => void;
  /** Signs one that was made before and not signed. */
  resume: (transaction: Transaction) => void;
  /** Begins anew; a wallet that is still asked is given up, and so is what it was asked to sign. */
  reset: () => void;
  waiting: Waiting | undefined;
  transaction: Transaction | undefined;
  error: Error | null;
}

/** Gives up a transaction that is not signed, by its digest. */
export function useGiveUp() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (digest: string) => ask(api.DELETE('/api/billing/escrow/transactions/{digest}', { params: { path: { digest } } })),
    onSettled: () => refreshAccount(client),
  });
}

export function useTransaction(onCredited?: () => void): Flow {
  const client = useQueryClient();
  const customer = useQuery(customerQuery).data;
  const [step, setStep] = useState<Waiting>();
  const [digest, setDigest] = useState<string>();
  const asking = useRef<AbortController>(undefined);

  const giveUp = useGiveUp();

  const sign = async (transaction: Transaction) => {
    const { content } = transaction;
    if (content === undefined) throw new WalletRefusal('There is nothing left to sign in this transaction. Make another one.');
    setStep('wallet');
    asking.current = new AbortController();
    const signature = await unlessGivenUp(() => signAs(customer?.wallet_address ?? '', content), asking.current.signal).catch((error: unknown) => {
      // Only so many may wait for a signature. What cannot be given up now is offered in the list.
      giveUp.mutate(transaction.digest);
      throw error;
    });
    setStep('sending');
    const path = { digest: transaction.digest };
    const sent = await ask(api.POST('/api/billing/escrow/transactions/{digest}/signature', { params: { path }, body: { signature } }));
    setStep('chain');
    setDigest(sent.digest);
    return sent;
  };
  const make = useMutation({
    mutationFn: async (wish: Schemas['NewWalletTransaction'] | Transaction) => {
      setDigest(undefined);
      if ('digest' in wish) return sign(wish);
      setStep('building');
      return sign(await ask(api.POST('/api/billing/escrow/transactions', { body: wish })));
    },
    onError: () => setStep(undefined),
    onSettled: () => refreshAccount(client),
  });
  const watched = useQuery({
    queryKey: ['transaction', digest],
    queryFn: ({ signal }) => ask(api.GET('/api/billing/escrow/transactions/{digest}', { params: { path: { digest: digest ?? '' } }, signal })),
    enabled: digest !== undefined,
    refetchInterval: (query) => (OVER.has(query.state.data?.state ?? '') ? false : WATCH_EVERY_MS),
  });
  const transaction = digest === undefined ? undefined : (watched.data ?? make.data);
  const state = transaction?.state;
  useEffect(() => {
    if (state === undefined || !OVER.has(state)) return;
    refreshAccount(client);
    if (state === 'credited') onCredited?.();
    // Once for each transaction: what is called may be another function at every drawing.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [state, digest]);

  return {
    start: (action, amount) => make.mutate({ action, amount_micros: amount }),
    resume: (unsigned) => make.mutate(unsigned),
    reset: () => {
      asking.current?.abort();
      make.reset();
      setStep(undefined);
      setDigest(undefined);
    },
    waiting: make.isPending || (transaction !== undefined && !OVER.has(transaction.state)) ? step : undefined,
    transaction,
    error: make.error,
  };
}
