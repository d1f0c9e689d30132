/** What an entry of the activity log says, in words. */
import { formatMoney } from '../../format';
import { isServiceName, serviceLabel, tierLabel } from '../../server/names';
import { stateLabel } from '../../ui/states';

const NOUN: Record<string, string> = {
  api_key: 'API key',
  api_token: 'API token',
  seal_key: 'Seal key',
  seal_package: 'Package',
  session: 'Session',
  service: 'Service',
  customer: 'Account',
  escrow: 'Escrow:',
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
  give_up: 'given up',
};

/** What is better said in other words than its noun and verb. */
const WHOLE: Record<string, string> = { 'session.create': 'Signed in', 'session.end': 'Signed out', 'api_key.enable': 'API key enabled again' };

/** "api_key.create" → "API key created"; words that are not known are shown as they are. */
export function actionText(action: string): string {
  const whole = Object.hasOwn(WHOLE, action) ? WHOLE[action] : undefined;
  if (whole !== undefined) return whole;
  const [noun = '', verb = ''] = action.split('.');
  const subject = (Object.hasOwn(NOUN, noun) ? NOUN[noun] : undefined) ?? plain(noun);
  const done = (Object.hasOwn(VERB, verb) ? VERB[verb] : undefined) ?? plain(verb);
  return `${subject.charAt(0).toUpperCase()}${subject.slice(1)} ${done}`.trim();
}

/** What of an entry is needed here; the API says of its details only that they are an object. */
interface Told {
  subject: string;
  details: object;
}

/** "production · Seal · Pro": the details that are there, with what they were before if that is told. */
export function detailText({ subject, details }: Told): string {
  const texts = Object.entries(details).flatMap(([name, value]) => {
    const text = valueText(name, value);
    return text === '' ? [] : [text];
  });
  if (isServiceName(subject)) texts.unshift(serviceLabel(subject));
  return texts.length === 0 ? subject : texts.join(' · ');
}

function valueText(name: string, value: unknown): string {
  if (value === null || value === undefined || value === '') return '';
  if (isChange(value)) return `${plain(name)} ${partText(name, value.from)} → ${partText(name, value.to)}`;
  if (SPEAKS_FOR_ITSELF.has(name)) return partText(name, value);
  return `${plain(name.replace(/_micros$/, ''))} ${partText(name, value)}`;
}

/** Values that need no name beside them. */
const SPEAKS_FOR_ITSELF = new Set(['name', 'hint', 'service', 'tier', 'amount_micros']);

function partText(name: string, value: unknown): string {
  if (value === null || value === undefined || value === '') return 'none';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'number') return name.endsWith('_micros') ? formatMoney(value) : String(value);
  if (typeof value !== 'string') return JSON.stringify(value);
  if (name === 'service') return serviceLabel(value);
  if (name === 'tier') return tierLabel(value);
  return name === 'state' ? stateLabel(value) : value;
}

function isChange(value: unknown): value is { from: unknown; to: unknown } {
  return typeof value === 'object' && value !== null && 'from' in value && 'to' in value;
}

function plain(name: string): string {
  return name.replaceAll('_', ' ');
}
