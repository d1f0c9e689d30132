import { type ApiDocument, type Content, type Entry, type Schema, access, resolve, typeName } from './document';

/** One operation, which opens to its parameters, body and answers. */
export function OperationCard({ api, entry }: { api: ApiDocument; entry: Entry }) {
  const { method, path, operation } = entry;
  return (
    <details className="mb-2 rounded border border-line bg-raised">
      <summary className="cursor-pointer px-4 py-3">
        <span className="mr-3 inline-block w-14 font-mono font-semibold uppercase">{method}</span>
        <code className="mr-3 break-all">{path}</code>
        <span className="text-muted">{operation.summary}</span>
      </summary>
      <div className="border-t border-line px-4 py-3">
        {operation.description && <p className="mb-3">{operation.description}</p>}
        <p className="mb-3"><span className="text-muted">Who: </span>{access(operation)}</p>
        {(operation.parameters?.length ?? 0) > 0 && (
          <>
            <h3 className="font-semibold">Parameters</h3>
            <ul className="mb-3">
              {operation.parameters?.map((parameter) => (
                <li key={parameter.name}><code>{parameter.name}</code> <span className="text-muted">({parameter.in}{parameter.required ? ', required' : ''})</span> {parameter.description}</li>
              ))}
            </ul>
          </>
        )}
        {operation.requestBody && <Body api={api} title="Body" content={operation.requestBody} />}
        {Object.entries(operation.responses).map(([status, content]) =>
          status.startsWith('2') ? <Body key={status} api={api} title={`Answer ${status}`} content={content} /> : null,
        )}
        <p className="text-muted">Errors: {Object.keys(operation.responses).filter((status) => status >= '400').join(', ')}</p>
      </div>
    </details>
  );
}

function Body({ api, title, content }: { api: ApiDocument; title: string; content: Content }) {
  const schema = Object.values(content.content ?? {})[0]?.schema;
  return (
    <>
      <h3 className="font-semibold">{title}</h3>
      {schema ? <Fields api={api} schema={resolve(api, schema)} /> : <p className="mb-3 text-muted">Nothing.</p>}
    </>
  );
}

function Fields({ api, schema }: { api: ApiDocument; schema: Schema }) {
  return (
    <ul className="mb-3">
      {Object.entries(schema.properties ?? {}).map(([name, field]) => (
        <li key={name}>
          <code>{name}</code> <span className="text-muted">{typeName(api, field)}{schema.required?.includes(name) ? '' : ', optional'}</span> {field.description}
        </li>
      ))}
    </ul>
  );
}
