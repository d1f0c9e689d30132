import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Schemas } from '../../server/api';
import { api, ask } from '../../server/api';
import { fieldMessages } from '../../server/problem';
import { customerQuery } from '../../server/queries';
import { Badge } from '../../ui/Badge';
import { Banner } from '../../ui/Banner';
import { Button } from '../../ui/Button';
import { Copy } from '../../ui/Copy';
import { Fact, Facts } from '../../ui/Facts';
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
      <Loaded query={customer}>{(value) => <Profile customer={value} />}</Loaded>
    </Panel>
  );
}

/** A name that is typed, and the one that was there when that began. */
interface Edit {
  name: string;
  over: string;
}

/** What is typed stays, whatever changes elsewhere meanwhile. */
function Profile({ customer }: { customer: Schemas['Customer'] }) {
  const client = useQueryClient();
  const [edit, setEdit] = useState<Edit>();
  const name = edit?.name ?? customer.name;
  const changed = name.trim() !== customer.name;
  const rename = useMutation({
    mutationFn: (sent: string) => ask(api.PATCH('/api/customer', { body: { name: sent.trim() } })),
    onSuccess: (after, sent) => {
      client.setQueryData(customerQuery.queryKey, after);
      setEdit((now) => (now?.name === sent ? undefined : now));
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
          rename.mutate(name);
        }}
      >
        <div className="flex flex-wrap items-start gap-3">
          <TextField
            className="w-full max-w-sm"
            label="Name"
            value={name}
            onChange={(text) => setEdit((before) => ({ name: text, over: before?.over ?? customer.name }))}
            maxLength={64}
            autoComplete="organization"
            placeholder="What you want to be called"
            errors={fieldMessages(rename.error, 'name')}
            hint="On invoices and in this dashboard. May be empty."
          />
          <Button type="submit" className="sm:mt-6" busy={rename.isPending} disabled={!changed}>
            Save
          </Button>
        </div>
        {edit !== undefined && changed && edit.over !== customer.name && !rename.isPending && (
          <Banner tone="warn" role="status" title="Changed elsewhere" action={<Button onClick={() => setEdit(undefined)}>Take what is in force</Button>}>
            What you typed is kept, and replaces this when you save: {customer.name === '' ? 'no name' : customer.name}
          </Banner>
        )}
        <Problem error={rename.error} />
      </form>
      <Facts>
        <Fact label="Customer number">
          <span className="font-mono text-xs">{customer.customer_id}</span>
          <Copy text={String(customer.customer_id)} what="customer number" />
        </Fact>
        <Fact label="Wallet">
          <span className="truncate font-mono text-xs">{customer.wallet_address}</span>
          <Copy text={customer.wallet_address} what="wallet address" />
        </Fact>
        <Fact label="Member since">
          <Time at={customer.created_at} show="day" />
        </Fact>
        <Fact label="Terms of service">
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
        </Fact>
      </Facts>
    </>
  );
}
