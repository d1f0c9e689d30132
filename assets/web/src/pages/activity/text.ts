/** What an entry of the activity log says, in words. */
import type { Schemas } from '../../server/api';
import { serviceLabel, tierLabel } from '../../server/queries';

const NOUN: Record<string, string> = {
  api_key: 'API key',
  api_token: 'API token',
  seal_key: 'Seal key',
  seal_package: 'Package',
  session: 'Session',
  service: 'Service',
  customer: 'Profile',
  terms: 'Terms',
  invoice: 'Invoice',
  spend_cap: 'Spend cap',
  payment_methods: 'Payment methods',
  transaction: 'Transaction',
};

const VERB: Record<string, string> = {
  create: 'created',
  delete: 'deleted',
  revoke: 'revoked',
  enable: 'turned on',
  disable: 'turned off',
  change: 'changed',
  change_settings: 'settings changed',
  change_tier: 'tier changed',
  tier_changed: 'tier changed',
  subscribe: 'subscribed',
  cancel: 'cancelled',
  undo_cancel: 'cancellation undone',
  cancellation_began: 'cancellation began',
  cleaned_up: 'cleaned up',
  paid: 'paid',
  suspended: 'stopped, unpaid',
  resumed: 'runs again',
  rotate: 'rotated',
  reveal: 'shown',
  end: 'ended',
  accept: 'accepted',
};

/** "api_key.create" → "API key created"; words that are not known are shown as they are. */
export function actionText(action: string): string {
  const [noun = '', verb = ''] = action.split('.');
  const subject = (Object.hasOwn(NOUN, noun) ? NOUN[noun] : undefined) ?? plain(noun);
  const done = (Object.hasOwn(VERB, verb) ? VERB[verb] : undefined) ?? plain(verb);
  return `${subject.charAt(0).toUpperCase()}${subject.slice(1)} ${done}`.trim();
}

/** "production · Seal · Pro": the details that are there, with what they were before if that is told. */
export function detailText({ subject, details }: Pick<Schemas['Activity'], 'subject' | 'details'>): string {
  const texts = Object.entries(details as Record<string, unknown>).flatMap(([name, value]) => {
    const text = valueText(name, value);
    return text === '' ? [] : [text];
  });
  return texts.length === 0 ? subject : texts.join(' · ');
}

function valueText(name: string, value: unknown): string {
  if (value === null || value === undefined || value === '') return '';
  if (typeof value === 'object') return `${plain(name)} ${JSON.stringify(value)}`;
  const text = String(value);
  if (name === 'name' || name === 'hint') return text;
  if (name === 'service') return serviceLabel(text);
  if (name === 'tier') return tierLabel(text);
  return `${plain(name)} ${text}`;
}

function plain(name: string): string {
  return name.replaceAll('_', ' ');
}
