import { useQuery } from '@tanstack/react-query';
import { customerQuery } from '../server/queries';
import { usePrintedAt } from '../ui/printing';
import { Time } from '../ui/Time';

/** On paper: whose page it is and of when, for the address bar and the menu are not there. */
export function PrintHead() {
  const printedAt = usePrintedAt();
  const customer = useQuery(customerQuery).data;
  return (
    <p className="hidden justify-between gap-6 text-xs print:flex">
      <span className="font-semibold">suiftly</span>
      {customer !== undefined && (
        <span>
          {customer.name === '' ? 'Customer' : `${customer.name}, customer`} {customer.customer_id}
        </span>
      )}
      {printedAt !== undefined && (
        <span>
          Printed <Time at={printedAt} />
        </span>
      )}
    </p>
  );
}
