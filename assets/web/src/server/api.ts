/** The one client of the API that all pages share. */
import { createApi } from '../client/client';
import type { components } from '../client/schema';
import { send } from './connection';
import { problemOf } from './problem';

export type Schemas = components['schemas'];

export const api = createApi(window.location.origin, send);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The answer's body, or the problem as an error. */
export async function ask<T>(call: Promise<Answer<T>>): Promise<NonNullable<T>> {
  const { data, error, response } = await call;
  if (!response.ok) throw problemOf(error, response);
  if (data === undefined || data === null) throw problemOf(undefined, response);
  return data;
}

/** For answers without a body. */
export async function tell(call: Promise<Answer<unknown>>): Promise<void> {
  const { error, response } = await call;
  if (!response.ok) throw problemOf(error, response);
}
