/** The pages, as the menu groups them. */
import type { LucideIcon } from 'lucide-react';
import { Activity, Globe, House, KeyRound, LifeBuoy, Network, Receipt, Settings, Shield, Waypoints } from 'lucide-react';

export interface Leaf {
  label: string;
  to: string;
  exact?: true;
}

export interface Entry extends Leaf {
  Icon: LucideIcon;
  /** Opens in place. */
  leaves?: readonly Leaf[];
}

function serviceLeaves(service: string): Leaf[] {
  const at = (tab: string) => `/services/${service}${tab}`;
  return [
    { label: 'Overview', to: at(''), exact: true },
    { label: 'Traffic', to: at('/traffic') },
    { label: 'API keys', to: at('/keys') },
    ...(service === 'seal' ? [{ label: 'Seal keys', to: at('/seal-keys') }] : []),
    { label: 'Logs', to: at('/logs') },
    { label: 'Settings', to: at('/settings') },
  ];
}

export const NAVIGATION: readonly { group: string; entries: readonly Entry[] }[] = [
  { group: '', entries: [{ label: 'Dashboard', to: '/', exact: true, Icon: House }] },
  {
    group: 'Services',
    entries: [
      { label: 'Seal', to: '/services/seal', Icon: Shield, leaves: serviceLeaves('seal') },
      { label: 'gRPC', to: '/services/grpc', Icon: Waypoints, leaves: serviceLeaves('grpc') },
      { label: 'GraphQL', to: '/services/graphql', Icon: Network, leaves: serviceLeaves('graphql') },
    ],
  },
  {
    group: 'Account',
    entries: [
      {
        label: 'Billing & payments',
        to: '/billing',
        Icon: Receipt,
        leaves: [
          { label: 'Overview', to: '/billing', exact: true },
          { label: 'Invoices', to: '/billing/invoices' },
          { label: 'Escrow', to: '/billing/escrow' },
          { label: 'Credits', to: '/billing/credits' },
          { label: 'Statement', to: '/billing/statement' },
        ],
      },
      { label: 'API keys', to: '/api-keys', Icon: KeyRound },
      { label: 'Activity', to: '/activity', Icon: Activity },
      { label: 'Settings', to: '/settings', Icon: Settings },
    ],
  },
  {
    group: 'Help',
    entries: [
      { label: 'Network status', to: '/network', Icon: Globe },
      { label: 'Support', to: '/support', Icon: LifeBuoy },
    ],
  },
];
