/** Public prices and limits, as numbers. */
import { parseMoney } from '../format';
import type { Tier } from './names';

export type Config = Record<string, string>;

/** An amount of the configuration in micro-dollars. */
export function dollars(config: Config, key: string): number {
  return parseMoney(config[key] ?? '') ?? 0;
}

export function count(config: Config, key: string): number {
  return Number(config[key] ?? 0);
}

export const TIER_KEY: Record<Tier, string> = { starter: 'sta', pro: 'pro', enterprise: 'ent' };
