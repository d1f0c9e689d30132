/** The fixed words of the API, and how they are written for people. */
export const SERVICES = ['seal', 'grpc', 'graphql'] as const;
export type ServiceName = (typeof SERVICES)[number];
export const SERVICE_LABEL: Record<ServiceName, string> = { seal: 'Seal', grpc: 'gRPC', graphql: 'GraphQL' };
export const SERVICE_ABOUT: Record<ServiceName, string> = {
  seal: 'Key servers that give out decryption keys by access rules on Sui.',
  grpc: 'Sui full nodes by gRPC: read, simulate, execute and subscribe.',
  graphql: 'Sui’s GraphQL: objects, history and packages in one query.',
};
export const TIERS = ['starter', 'pro', 'enterprise'] as const;
export type Tier = (typeof TIERS)[number];
export const TIER_LABEL: Record<Tier, string> = { starter: 'Starter', pro: 'Pro', enterprise: 'Enterprise' };

export function isServiceName(name: string): name is ServiceName {
  return SERVICES.some((service) => service === name);
}

export function tierLabel(name: string): string {
  const tier = TIERS.find((one) => one === name);
  return tier === undefined ? name : TIER_LABEL[tier];
}

export function serviceLabel(name: string): string {
  return isServiceName(name) ? SERVICE_LABEL[name] : name;
}

export type Range = '1h' | '24h' | '7d' | '30d' | '90d';
export const RANGES: readonly Range[] = ['1h', '24h', '7d', '30d', '90d'];
