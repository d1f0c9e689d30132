import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ApiDocument, access, operationsOf, resolve, typeName } from './document';

const api: ApiDocument = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8'));

function accessTo(path: string, method: string) {
  const operation = api.paths[path]?.[method];
  return operation && access(operation);
}

describe('the document', () => {
  it('has every operation under a tag that is described', () => {
    const drawn = (api.tags ?? []).flatMap((tag) => operationsOf(api, tag.name));
    const all = Object.values(api.paths).flatMap((item) => Object.keys(item));
    expect(drawn).toHaveLength(all.length);
    expect(drawn.every(({ operation }) => operation.summary)).toBe(true);
  });

  it('says who is let in', () => {
    expect(accessTo('/api/config/frontend', 'get')).toBe('Anybody');
    expect(accessTo('/api/auth/tokens', 'get')).toBe('Session only');
    expect(accessTo('/api/customer', 'patch')).toBe('Session, or token with account.write');
  });

  it('shows fields of what is put together from parts', () => {
    const created = resolve(api, { $ref: '#/components/schemas/CreatedApiKey' });
    expect(Object.keys(created.properties ?? {})).toEqual(expect.arrayContaining(['text', 'api_key_id', 'state']));
    expect(typeName(api, created.properties?.created_at ?? {})).toBe('time');
    expect(typeName(api, { type: 'array', items: { type: 'string' } })).toBe('string[]');
  });
});
