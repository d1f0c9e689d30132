import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router';
import { Frame } from './frame/Frame';
import { NotFound } from './frame/NotFound';
import { LivePage } from './live/route';

const rootRoute = createRootRoute({ component: Frame, notFoundComponent: NotFound });
const liveRoute = createRoute({ getParentRoute: () => rootRoute, path: '/', component: LivePage });

export const router = createRouter({ routeTree: rootRoute.addChildren([liveRoute]) });
