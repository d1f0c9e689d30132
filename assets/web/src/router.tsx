import type { QueryClient } from '@tanstack/react-query';
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { Crash } from './frame/Crash';
import { NotFound } from './frame/NotFound';
import { Shell } from './frame/Shell';
import { LoginPage } from './pages/login/route';
import { codeOf } from './server/problem';
import type { ServiceName } from './server/names';
import { isServiceName } from './server/names';
import { customerQuery } from './server/queries';
import {
  activitySearch,
  escrowSearch,
  invoicesSearch,
  loginSearch,
  logsSearch,
  networkSearch,
  subscribeSearch,
  trafficSearch,
} from './search';
import { storedWallet } from './wallet/session';

const root = createRootRouteWithContext<{ client: QueryClient }>()({ notFoundComponent: NotFound });

const login = createRoute({ getParentRoute: () => root, path: '/login', component: LoginPage, validateSearch: loginSearch });

const terms = createRoute({ getParentRoute: () => root, path: '/terms', component: lazyRouteComponent(() => import('./pages/terms/route'), 'TermsPage') });

/** Everything but the sign-in page and the terms. */
const account = createRoute({
  getParentRoute: () => root,
  id: 'account',
  component: Shell,
  notFoundComponent: NotFound,
  beforeLoad: async ({ context, location }) => {
    const signIn = redirect({ to: '/login', search: location.href === '/' ? {} : { next: location.href } });
    // Nobody has signed in with this browser: no need to ask.
    if (storedWallet() === null) throw signIn;
    try {
      await context.client.ensureQueryData(customerQuery);
    } catch (error) {
      if (codeOf(error) === 'sign_in_required') throw signIn;
      // Whatever else is wrong, the pages say it.
    }
  },
});

const page = <Path extends string>(path: Path) => ({ getParentRoute: () => account, path });

const dashboard = createRoute({ ...page('/'), component: lazyRouteComponent(() => import('./pages/dashboard/route'), 'DashboardPage') });
const welcome = createRoute({ ...page('/welcome'), component: lazyRouteComponent(() => import('./pages/welcome/route'), 'WelcomePage') });
const activity = createRoute({
  ...page('/activity'),
  component: lazyRouteComponent(() => import('./pages/activity/route'), 'ActivityPage'),
  validateSearch: activitySearch,
});
const apiKeys = createRoute({ ...page('/api-keys'), component: lazyRouteComponent(() => import('./pages/keys/route'), 'AllKeysPage') });
const network = createRoute({
  ...page('/network'),
  component: lazyRouteComponent(() => import('./pages/network/route'), 'NetworkPage'),
  validateSearch: networkSearch,
});
const support = createRoute({ ...page('/support'), component: lazyRouteComponent(() => import('./pages/support/route'), 'SupportPage') });
const settings = createRoute({ ...page('/settings'), component: lazyRouteComponent(() => import('./pages/settings/route'), 'SettingsPage') });

const service = createRoute({
  ...page('/services/$service'),
  component: lazyRouteComponent(() => import('./pages/service/frame'), 'ServiceFrame'),
  params: {
    parse: ({ service: name }): { service: ServiceName } => {
      if (!isServiceName(name)) throw new Error(`no service ${name}`);
      return { service: name };
    },
    stringify: ({ service: name }) => ({ service: name }),
  },
  errorComponent: NotFound,
});
const tab = <Path extends string>(path: Path) => ({ getParentRoute: () => service, path });
const serviceOverview = createRoute({
  ...tab('/'),
  component: lazyRouteComponent(() => import('./pages/service/overview'), 'ServiceOverview'),
  validateSearch: subscribeSearch,
});
const serviceTraffic = createRoute({
  ...tab('/traffic'),
  component: lazyRouteComponent(() => import('./pages/service/traffic'), 'ServiceTraffic'),
  validateSearch: trafficSearch,
});
const serviceKeys = createRoute({ ...tab('/keys'), component: lazyRouteComponent(() => import('./pages/keys/tab'), 'ServiceKeys') });
const sealKeys = createRoute({ ...tab('/seal-keys'), component: lazyRouteComponent(() => import('./pages/service/sealKeys'), 'SealKeysTab') });
const serviceLogs = createRoute({
  ...tab('/logs'),
  component: lazyRouteComponent(() => import('./pages/service/logs'), 'ServiceLogs'),
  validateSearch: logsSearch,
});
const serviceSettings = createRoute({ ...tab('/settings'), component: lazyRouteComponent(() => import('./pages/service/settings'), 'ServiceSettings') });

const billing = createRoute({ ...page('/billing'), component: lazyRouteComponent(() => import('./pages/billing/overview'), 'BillingPage') });
const invoices = createRoute({
  ...page('/billing/invoices'),
  component: lazyRouteComponent(() => import('./pages/billing/invoices'), 'InvoicesPage'),
  validateSearch: invoicesSearch,
});
const invoice = createRoute({
  ...page('/billing/invoices/$invoice'),
  component: lazyRouteComponent(() => import('./pages/billing/invoice'), 'InvoicePage'),
});
const escrow = createRoute({
  ...page('/billing/escrow'),
  component: lazyRouteComponent(() => import('./pages/billing/escrow'), 'EscrowPage'),
  validateSearch: escrowSearch,
});
const credits = createRoute({ ...page('/billing/credits'), component: lazyRouteComponent(() => import('./pages/billing/credits'), 'CreditsPage') });
const statement = createRoute({
  ...page('/billing/statement'),
  component: lazyRouteComponent(() => import('./pages/billing/statement'), 'StatementPage'),
});

const tree = root.addChildren([
  login,
  terms,
  account.addChildren([
    dashboard,
    welcome,
    service.addChildren([serviceOverview, serviceTraffic, serviceKeys, sealKeys, serviceLogs, serviceSettings]),
    billing,
    invoices,
    invoice,
    escrow,
    credits,
    statement,
    apiKeys,
    activity,
    network,
    support,
    settings,
  ]),
]);

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { client },
    defaultErrorComponent: Crash,
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    scrollRestoration: true,
  });
}
