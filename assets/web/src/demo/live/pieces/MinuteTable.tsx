import { memo } from 'react';
import type { Series } from '../../api';
import { formatCount } from '../../../format';
import { CLASSES, countByMinute } from '../traffic';

/** The chart in words and numbers, for those who do not see it; by minute, because sixty rows are no summary. */
export const MinuteTable = memo(function MinuteTable({ series, name }: { series: Series; name: string }) {
  const minutes = countByMinute(series);
  return (
    // A table is never narrower than its text, so it is the box around it that hides.
    <div className="sr-only">
      <table>
        <caption>Requests of {name} in each of the last five minutes, by class</caption>
        <thead>
          <tr>
            <th scope="col">Minute</th>
            {CLASSES.map(({ id, label }) => (
              <th key={id} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {minutes.map((counts, index) => {
            const ago = minutes.length - index;
            return (
              <tr key={ago}>
                <th scope="row">{ago === 1 ? 'Last minute' : `${ago} minutes ago`}</th>
                {CLASSES.map(({ id }) => (
                  <td key={id}>{formatCount(counts[id])}</td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
});
