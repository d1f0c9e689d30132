/** The parts of an OpenAPI document that the page draws. */

export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  enum?: string[];
  pattern?: string;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  allOf?: Schema[];
}

export interface Content {
  content?: Record<string, { schema?: Schema }>;
  description?: string;
}

export interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: { name: string; in: string; required?: boolean; description?: string }[];
  requestBody?: Content;
  responses: Record<string, Content>;
  security?: Record<string, string[]>[];
}

export interface ApiDocument {
  info: { title: string; version: string; description?: string };
  tags?: { name: string; description?: string }[];
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}

export interface Entry {
  method: string;
  path: string;
  operation: Operation;
}

/** The operations of a tag, in the document's order. */
export function operationsOf(document: ApiDocument, tag: string): Entry[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([, operation]) => operation.tags?.includes(tag))
      .map(([method, operation]) => ({ method, path, operation })),
  );
}

/** Who is let in, in words. */
export function access(operation: Operation): string {
  if (!operation.security) return 'Anybody';
  const scopes = operation.security.flatMap((way) => way.token ?? []);
  return scopes.length > 0 ? `Session, or token with ${scopes.join(', ')}` : 'Session only';
}

/** A schema with what it refers to and is put together from. */
export function resolve(document: ApiDocument, schema: Schema): Schema {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    return resolve(document, document.components?.schemas?.[name] ?? {});
  }
  if (!schema.allOf) return schema;
  const parts = schema.allOf.map((part) => resolve(document, part));
  return {
    type: 'object',
    properties: Object.assign({}, ...parts.map((part) => part.properties ?? {})),
    required: parts.flatMap((part) => part.required ?? []),
  };
}

/** The type of a value in one line. */
export function typeName(document: ApiDocument, schema: Schema): string {
  if (schema.enum) return schema.enum.length > 6 ? 'word' : schema.enum.join(' | ');
  const resolved = resolve(document, schema);
  const type = [resolved.type ?? 'any'].flat().join(' | ');
  if (type === 'array') return `${typeName(document, resolved.items ?? {})}[]`;
  return resolved.format === 'date-time' ? 'time' : type;
}
