import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Bell } from 'lucide-react';
import { api, ask } from '../server/api';
import { noticeInvoice, noticeText } from '../server/notices';
import { noticesQuery } from '../server/queries';
import { Button } from '../ui/Button';
import { Old } from '../ui/Loaded';
import { Menu } from '../ui/Menu';
import { Problem } from '../ui/Problem';
import { Time } from '../ui/Time';

export function NoticesMenu() {
  const client = useQueryClient();
  const query = useQuery(noticesQuery);
  const notices = query.data;
  const newest = notices?.items[0]?.notice_id;
  const read = useMutation({
    mutationFn: (upTo: number) => ask(api.POST('/api/billing/notices/read', { body: { up_to: upTo } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['billing', 'notices'] }),
  });
  const unread = notices?.unread ?? 0;
  return (
    <Menu
      label={unread === 0 ? 'Notices' : `Notices, ${unread} unread`}
      buttonClass="relative grid size-8 place-items-center rounded text-muted hover:bg-sunken hover:text-ink"
      width="w-88"
      button={
        <>
          <Bell aria-hidden="true" className="size-4" strokeWidth={1.5} />
          {unread > 0 && (
            <span className="absolute -right-0.5 -top-0.5 grid h-4 min-w-4 place-items-center rounded-full bg-brand px-1 text-[10px] font-semibold text-on-brand">
              {unread > 99 ? '99' : unread}
            </span>
          )}
        </>
      }
    >
      {(close) => (
        <>
          <div className="flex h-10 items-center justify-between px-3">
            <p className="text-[13px] font-semibold">Notices</p>
            {unread > 0 && newest !== undefined && (
              <Button kind="quiet" busy={read.isPending} onClick={() => read.mutate(newest)}>
                Mark all as read
              </Button>
            )}
          </div>
          <div className="border-t border-line p-3 empty:hidden">
            {notices === undefined ? (
              <Problem error={query.error} onRetry={() => void query.refetch()} />
            ) : (
              <Problem error={read.error} {...(newest === undefined ? {} : { onRetry: () => read.mutate(newest) })} />
            )}
          </div>
          <Old query={query} />
          <ul className="max-h-96 overflow-y-auto border-t border-line">
            {(notices?.items ?? []).map((notice) => {
              const invoice = noticeInvoice(notice);
              return (
                <li key={notice.notice_id} className="border-b border-line px-3 py-2.5 text-[13px] last:border-b-0">
                  <p className={notice.read_at === undefined ? 'font-medium' : 'text-muted'}>
                    {invoice === undefined ? (
                      noticeText(notice)
                    ) : (
                      <Link to="/billing/invoices/$invoice" params={{ invoice }} onClick={close} className="hover:underline">
                        {noticeText(notice)}
                      </Link>
                    )}
                  </p>
                  <p className="mt-0.5 text-xs text-muted">
                    <Time at={notice.at} />
                  </p>
                </li>
              );
            })}
            {notices?.items.length === 0 && <li className="px-3 py-6 text-center text-[13px] text-muted">Invoices, payments and alerts appear here.</li>}
          </ul>
        </>
      )}
    </Menu>
  );
}
