import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { fieldMessages } from '../../server/problem';
import { customerQuery } from '../../server/queries';
import { Badge } from '../../ui/Badge';
import { Button } from '../../ui/Button';
import { Copy } from '../../ui/Copy';
import { TextField } from '../../ui/Field';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { Problem } from '../../ui/Problem';
import { Time } from '../../ui/Time';
import { toast } from '../../ui/toasts';
import { TermsLink } from '../terms/TermsLink';
import { AcceptTerms } from '../dashboard/AcceptTerms';

export function ProfilePanel() {
  const customer = useQuery(customerQuery);
  const status = customer.data?.status;
  return (
    <Panel title="Profile" aside={status === 'active' ? <Badge tone="good">Active</Badge> : status !== undefined ? <Badge tone="bad">{status}</Badge> : undefined}>
      <Loaded query={customer}>{(value) => <Profile key={value.name} customer={value} />}</Loaded>
    </Panel>
  );
}

function Profile({ customer }: { customer: Schemas['Customer'] }) {
  const client = useQueryClient();
  const [name, setName] = useState(customer.name);
  const rename = useMutation({
    mutationFn: () => ask(api.PATCH('/api/customer', { body: { name: name.trim() } })),
    onSuccess: (after) => {
      client.setQueryData(customerQuery.queryKey, after);
      toast('Profile saved');
    },
  });
  const accepted = customer.terms_version === customer.current_terms_version;
  return (
    <>
      <form
        className="grid gap-3 px-4 py-4 sm:px-5"
        onSubmit={(event) => {
          event.preventDefault();
          rename.mutate();
        }}
      >
        <div className="flex flex-wrap items-start gap-3">
          <TextField
            className="w-full max-w-sm"
            label="Name"
            value={name}
            onChange={setName}
            maxLength={64}
            autoComplete="organization"
            placeholder="What you want to be called"
            errors={fieldMessages(rename.error, 'name')}
            hint="On invoices and in this dashboard. May be empty."
          />
          <Button type="submit" className="sm:mt-6" busy={rename.isPending} disabled={name.trim() === customer.name}>
            Save
          </Button>
        </div>
        <Problem error={rename.error} />
      </form>
      <dl className="divide-y divide-line border-t border-line text-[13px]">
        <Row label="Customer number">
          <span className="font-mono text-xs">{customer.customer_id}</span>
          <Copy text={String(customer.customer_id)} what="customer number" />
        </Row>
        <Row label="Wallet">
          <span className="truncate font-mono text-xs">{customer.wallet_address}</span>
          <Copy text={customer.wallet_address} what="wallet address" />
        </Row>
        <Row label="Member since">
          <Time at={customer.created_at} show="day" />
        </Row>
        <Row label="Terms of service">
          {accepted && customer.terms_accepted_at !== undefined ? (
            <span>
              <TermsLink>Version {customer.terms_version}</TermsLink> accepted on <Time at={customer.terms_accepted_at} show="day" />
            </span>
          ) : (
            <div className="flex flex-wrap items-center gap-3">
              <TermsLink>Version {customer.current_terms_version}</TermsLink>
              <AcceptTerms version={customer.current_terms_version} />
            </div>
          )}
        </Row>
      </dl>
    </>
  );
}

function Row({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className="flex min-h-11 flex-wrap items-center gap-x-4 px-4 py-1.5 sm:px-5">
      <dt className="w-36 text-muted">{label}</dt>
      <dd className="flex min-w-0 items-center gap-1">{children}</dd>
    </div>
  );
}
