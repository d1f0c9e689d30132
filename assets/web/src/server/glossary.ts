/** One sentence and a way forward for each code of the API. The compiler insists that none is missing. */
import type { Problem } from '../client/client';

export interface Meaning {
  title: string;
  /** What the person can do. */
  next: string;
  /** A page that helps. */
  to?: '/billing' | '/billing/escrow' | '/login' | '/support' | '/api-keys';
  toLabel?: string;
  /** Whether asking again can help. */
  retry?: true;
}

const BILLING = { to: '/billing', toLabel: 'Open billing' } as const;
const DEPOSIT = { to: '/billing/escrow', toLabel: 'Deposit USDC' } as const;
const ESCROW = { to: '/billing/escrow', toLabel: 'Open escrow' } as const;
const SIGN_IN = { to: '/login', toLabel: 'Sign in' } as const;
const SUPPORT = { to: '/support', toLabel: 'Get support' } as const;

const MEANINGS: Record<Problem['code'] | 'unreachable', Meaning> = {
  unreachable: {
    title: 'suiftly cannot be reached',
    next: 'Check your connection. The page asks again by itself.',
    retry: true,
  },
  invalid_body: { title: 'The request was not understood', next: 'Reload the page: a newer version may be there.' },
  invalid_parameter: { title: 'The address of this page is not right', next: 'Reset the filters, or open the page from the menu.' },
  invalid_fields: { title: 'Some values are not allowed', next: 'Correct the marked fields. Nothing was changed.' },
  invalid_cursor: { title: 'The list has moved on', next: 'Load it again from the top.', retry: true },
  sign_in_required: { title: 'You are signed out', next: 'Sign in with your wallet to go on.', ...SIGN_IN },
  signature_refused: { title: 'The signature was not accepted', next: 'It may have come too late. Sign in again.', ...SIGN_IN },
  signature_scheme_unsupported: {
    title: 'This kind of account cannot sign in yet',
    next: 'Accounts by zkLogin are not supported. Use a wallet with a key of its own.',
    ...SIGN_IN,
  },
  refresh_refused: { title: 'Your session has ended', next: 'Sign in with your wallet to go on.', ...SIGN_IN },
  origin_refused: { title: 'The request came from another address', next: 'Open the dashboard at its own address and try again.' },
  scope_missing: { title: 'The API token may not do this', next: 'Create a token with the scope that is named.' },
  session_required: { title: 'Only a signed-in person can do this', next: 'Sign in with your wallet.', ...SIGN_IN },
  account_closed: { title: 'This account is closed', next: 'Nothing can be changed in it.', ...SUPPORT },
  account_suspended: { title: 'This account is suspended', next: 'You can read everything; changes wait until it is lifted.', ...SUPPORT },
  not_found: { title: 'There is nothing here', next: 'It may have been deleted, or the address is mistyped.' },
  method_not_allowed: { title: 'This is not possible here', next: 'Reload the page: a newer version may be there.' },
  body_too_large: { title: 'That was too much at once', next: 'Send less than 64 KiB.' },
  unsupported_media_type: { title: 'The request was not understood', next: 'Reload the page: a newer version may be there.' },
  idempotency_key_reused: { title: 'This was sent before', next: 'Look whether it took effect, then try again.', retry: true },
  service_state: { title: 'Not possible in the service’s present state', next: 'Do first what is named here.' },
  tier_too_small: { title: 'Your tier does not include this', next: 'Change to the tier that is named, then try again.' },
  payment_pending: { title: 'Waiting for the first payment', next: 'Keys and traffic start as soon as it is paid.', ...DEPOSIT },
  payment_under_way: { title: 'A payment is under way', next: 'It takes a few seconds. Then try again.', retry: true },
  invoice_unpaid: { title: 'An invoice is unpaid', next: 'Deposit what is owed: it is paid at once.', ...DEPOSIT },
  cannot_pay: { title: 'This cannot be paid at present', next: 'Deposit what is missing, or raise the spending limit. Nothing was changed.', ...DEPOSIT },
  price_changed: { title: 'It costs another amount now', next: 'Look at the new amount, and confirm it if you agree. Nothing was changed.', retry: true },
  billing_on_hold: { title: 'Billing is on hold', next: 'We are looking into it. Nothing is charged until then.', ...SUPPORT },
  invoice_state: { title: 'Not possible for this invoice', next: 'Look at its state: it may be paid already.', ...BILLING },
  no_escrow_account: { title: 'There is no escrow account yet', next: 'Your first deposit makes one.', ...DEPOSIT },
  chain_unavailable: { title: 'The chain does not answer', next: 'Nothing was done. What is signed goes on by itself.', retry: true },
  transaction_state: { title: 'The transaction has moved on', next: 'Look at its state: it may be signed or over already.', ...DEPOSIT },
  limit_reached: { title: 'There are as many as there can be', next: 'Delete one that you no longer need.' },
  creations_limited: { title: 'Too many keys in the last hour', next: 'Wait until the time that is named, then create the next.' },
  subscriptions_limited: { title: 'Too many subscriptions today', next: 'Each makes an invoice. Nothing was changed; try again later.' },
  too_many_unsigned: { title: 'Too many transactions wait for a signature', next: 'Sign one, or give one up, under Escrow.', ...ESCROW },
  wallet_has_plenty: { title: 'Your wallet has plenty of play money', next: 'Deposit some of it.', ...DEPOSIT },
  key_state: { title: 'Not possible for this key', next: 'It is revoked, expired or deleted.', to: '/api-keys', toLabel: 'Open API keys' },
  not_revealable: { title: 'This key is shown once only', next: 'Rotate it to get a new one.' },
  already_exists: { title: 'That exists already', next: 'Use another name, or the one that is there.' },
  rate_limited: { title: 'Too many requests', next: 'Wait a moment, then try again.', retry: true },
  too_many_watchers: { title: 'Too many live pages', next: 'Close another tab that watches live.', retry: true },
  request_timeout: { title: 'That took too long', next: 'Look whether it took effect before you repeat it.', retry: true },
  query_timeout: { title: 'The question was too large', next: 'Ask for less time, or narrow it down with filters.', retry: true },
  queries_busy: { title: 'Busy at the moment', next: 'Others ask for much right now. Try again in a few seconds.', retry: true },
  not_ready: { title: 'A part of the server is not ready', next: 'It may be starting. Try again in a moment.', retry: true },
  offset_mismatch: { title: 'Not for the dashboard', next: 'Reload the page.' },
  stream_superseded: { title: 'Not for the dashboard', next: 'Reload the page.' },
  internal: { title: 'Something went wrong on our side', next: 'It was logged. Try again in a moment.', retry: true, ...SUPPORT },
};

export function meaningOf(code: Problem['code'] | 'unreachable' | undefined): Meaning {
  return (code !== undefined && Object.hasOwn(MEANINGS, code) && MEANINGS[code]) || MEANINGS.internal;
}
