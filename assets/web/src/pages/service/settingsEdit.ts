/** What is typed over a service's settings, which may change elsewhere meanwhile. */
import type { Schemas } from '../../server/api';
import type { Service } from '../../server/queries';

type InForce = Pick<Service, 'burst' | 'ip_allowlist_enabled' | 'ip_allowlist'>;

/** As the form has it: addresses are text. */
export interface Settings {
  burst: boolean;
  ip_allowlist_enabled: boolean;
  ip_allowlist: string;
}
export type Field = keyof Settings;

interface Edit<T> {
  value: T;
  /** What was in force when the field was touched first. */
  over: T;
}
export type Edits = { readonly [F in Field]?: Edit<Settings[F]> };

const FIELDS = ['burst', 'ip_allowlist_enabled', 'ip_allowlist'] as const;

export function settingsOf({ burst, ip_allowlist_enabled, ip_allowlist }: InForce): Settings {
  return { burst, ip_allowlist_enabled, ip_allowlist: ip_allowlist.join('\n') };
}

/** What the form shows: what is typed, and of the rest what is in force. */
export function shown(edits: Edits, inForce: Settings): Settings {
  return {
    burst: edits.burst?.value ?? inForce.burst,
    ip_allowlist_enabled: edits.ip_allowlist_enabled?.value ?? inForce.ip_allowlist_enabled,
    ip_allowlist: edits.ip_allowlist?.value ?? inForce.ip_allowlist,
  };
}

/** The field is typed in; what is put back as it was is as if it had not been touched. */
export function typed<F extends Field>(edits: Edits, inForce: Settings, field: F, value: Settings[F]): Edits {
  if (value === inForce[field]) return without(edits, [field]);
  return { ...edits, [field]: { value, over: edits[field]?.over ?? inForce[field] } };
}

/** Fields that say something else than what is in force. */
export function changedFields(edits: Edits, inForce: Settings): Field[] {
  const now = shown(edits, inForce);
  return FIELDS.filter((field) => !isSame(now[field], inForce[field]));
}

/** Of those, the ones for which something else is in force than when they were touched. */
export function changedElsewhere(edits: Edits, inForce: Settings): Field[] {
  return changedFields(edits, inForce).filter((field) => !isSame(edits[field]?.over, inForce[field]));
}

/** What is sent: nothing that was not touched, so that nothing older is written over it. */
export function changeOf(edits: Edits, inForce: Settings): Schemas['ServiceSettingsChange'] {
  const { burst, ip_allowlist_enabled: enabled, ip_allowlist: list } = shown(edits, inForce);
  const changed = new Set(changedFields(edits, inForce));
  return {
    ...(changed.has('burst') ? { burst } : {}),
    ...(changed.has('ip_allowlist_enabled') ? { ip_allowlist_enabled: enabled } : {}),
    ...(changed.has('ip_allowlist') ? { ip_allowlist: entriesOf(list) } : {}),
  };
}

/** Without these fields, and without what is as it was sent: what was typed since stays. */
export function without(edits: Edits, fields: readonly Field[], sent: Edits = edits): Edits {
  return Object.fromEntries(Object.entries(edits).filter(([field, edit]) => !fields.some((one) => one === field && sent[one] === edit)));
}

export function entriesOf(list: string): string[] {
  return list.split(/[\s,]+/).filter((entry) => entry !== '');
}

function isSame(a: Settings[Field] | undefined, b: Settings[Field]): boolean {
  return typeof a === 'string' && typeof b === 'string' ? entriesOf(a).join() === entriesOf(b).join() : a === b;
}
