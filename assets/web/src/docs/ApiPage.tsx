import Markdown from 'markdown-to-jsx';
import { useEffect, useState } from 'react';
import { OperationCard } from './OperationCard';
import { type ApiDocument, operationsOf } from './document';

/** The API, drawn from the document that this server serves. */
export function ApiPage() {
  const [api, setApi] = useState<ApiDocument>();
  const [failure, setFailure] = useState<string>();

  useEffect(() => {
    fetch('/api/openapi.json')
      .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`the server answered ${response.status}`))))
      .then(setApi)
      .catch((error: Error) => setFailure(error.message));
  }, []);

  if (failure) return <p role="alert" className="p-8 text-bad">The API's description cannot be loaded: {failure}. Reload the page to try again.</p>;
  if (!api) return <p className="p-8 text-muted">Loading the API's description…</p>;
  return (
    <div className="mx-auto flex max-w-6xl gap-8 px-4 py-8 text-[13px] text-ink">
      <nav aria-label="Operations" className="sticky top-8 hidden w-[220px] shrink-0 self-start md:block">
        {api.tags?.map((tag) => (
          <a key={tag.name} href={`#${tag.name}`} className="block rounded px-3 py-1.5 hover:bg-selected">{tag.name}</a>
        ))}
        <a href="/api/openapi.json" className="mt-4 block px-3 py-1.5 text-link underline">openapi.json</a>
      </nav>
      <main className="min-w-0 flex-1">
        <p className="text-muted">Version {api.info.version}</p>
        <h1 className="mb-4 text-[32px] leading-tight font-semibold">{api.info.title} API</h1>
        <div className="docs-text mb-8">
          <Markdown options={{ forceBlock: true, disableParsingRawHTML: true }}>{api.info.description ?? ''}</Markdown>
        </div>
        {api.tags?.map((tag) => (
          <section key={tag.name} id={tag.name} className="mb-8">
            <h2 className="text-xl font-semibold">{tag.name}</h2>
            <p className="mb-4 text-muted">{tag.description}</p>
            {operationsOf(api, tag.name).map((entry) => (
              <OperationCard key={`${entry.method} ${entry.path}`} api={api} entry={entry} />
            ))}
          </section>
        ))}
      </main>
    </div>
  );
}
