import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { customerQuery, siteQuery } from '../../server/queries';
import { Copy } from '../../ui/Copy';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { TermsLink } from '../terms/TermsLink';
import { GLOSSARY } from './glossary';

export function SupportPage() {
  const customer = useQuery(customerQuery).data;
  const address = useQuery(siteQuery).data?.support_url;
  return (
    <Page eyebrow="Help" title="Support" about="What to tell us, the answers that most people look for, and the words of this dashboard.">
      <Panel title="When you write to us">
        <div className="grid gap-3 px-4 py-4 text-[13px] sm:px-5">
          <p className="max-w-2xl text-pretty">
            Write to {address === undefined || address === null ? 'the operator of this site' : <SupportLink address={address} />}, and name your customer number. For a request, add its <span className="font-mono text-xs">X-Request-ID</span>; for a payment, the invoice’s number. Never send a whole API key: its first and last characters are enough.
          </p>
          {customer !== undefined && (
            <p className="flex items-center gap-1">
              Customer number <span className="font-mono font-medium">{customer.customer_id}</span>
              <Copy text={String(customer.customer_id)} what="customer number" />
            </p>
          )}
          <p>
            <a href="/api/docs" className="text-link underline underline-offset-2">
              What the API can do
            </a>
            , and the <TermsLink>terms of service</TermsLink>
          </p>
        </div>
      </Panel>
      <Panel title="Answers">
        <div className="divide-y divide-line">
          {ANSWERS.map(({ question, answer }) => (
            <details key={question} className="group px-4 text-[13px] sm:px-5">
              <summary className="cursor-pointer py-3 font-medium">{question}</summary>
              <div className="max-w-2xl pb-4 text-pretty text-muted">{answer}</div>
            </details>
          ))}
        </div>
      </Panel>
      <Panel title="Words">
        <dl className="grid gap-x-8 px-4 py-2 text-[13px] sm:px-5 md:grid-cols-2">
          {GLOSSARY.map(({ word, meaning }) => (
            <div key={word} className="py-2">
              <dt className="font-medium">{word}</dt>
              <dd className="text-pretty text-muted">{meaning}</dd>
            </div>
          ))}
        </dl>
      </Panel>
    </Page>
  );
}

function SupportLink({ address }: { address: string }) {
  const mail = address.startsWith('mailto:');
  return (
    <a href={address} {...(mail ? {} : { target: '_blank', rel: 'noopener noreferrer' })} className="text-link underline underline-offset-2">
      {address.replace(/^mailto:|^https:\/\//, '').replace(/\?.*$/, '')}
    </a>
  );
}

const ANSWERS: readonly { question: string; answer: ReactNode }[] = [
  {
    question: 'My key answers 401',
    answer: 'It is revoked, expired, deleted or mistyped, or it belongs to another service: the first letter is S for Seal, R for gRPC and G for GraphQL. The answer’s code says which.',
  },
  {
    question: 'My key answers 403',
    answer: 'The IP allowlist of the service is on, and the address that you ask from is not in it. See the settings of the service.',
  },
  {
    question: 'My key answers 429',
    answer: 'More requests a second than your tier has. They cost nothing. Turn burst on, or change the tier.',
  },
  {
    question: 'My key answers 503',
    answer: 'The service is off, stopped because a payment is missing, or under maintenance. The banner of the service says which, and what to do.',
  },
  {
    question: 'What am I charged for?',
    answer: (
      <>
        The month’s subscription in advance, and each request of the classes guaranteed and burst. Refused and rate-limited requests cost nothing, and neither does what we failed to count. Every line of an{' '}
        <Link to="/billing/invoices" className="text-link">
          invoice
        </Link>{' '}
        opens into its hours, and these into their requests.
      </>
    ),
  },
  {
    question: 'Why did I get credit when I subscribed?',
    answer: 'A subscription is paid for the whole month. The days before you subscribed come back as credit, which the next invoice uses first.',
  },
  {
    question: 'Who can take money from my escrow account?',
    answer: 'The contract lets us charge what invoices demand, up to your spending limit in 28 days, and lets you withdraw everything at any time. Only your wallet can deposit, withdraw or change the limit.',
  },
];
