import { Suspense, lazy, useMemo, useState } from 'react';
import { formatCount, formatInstant } from '../../format';
import { useTheme } from '../../theme';
import { ChartSkeleton } from './ChartSkeleton';
import type { ChartHover, ChartLine, ChartShape } from './shape';
import { lineTotal } from './shape';

/** uPlot is fetched with the first chart, not with the page. */
const Plot = lazy(() => import('./Plot'));

interface ChartProps extends ChartShape {
  title: string;
  /** How a value is written, with its unit. */
  format: (value: number) => string;
  /** What stands for a line in the legend; its sum if left out. */
  legendValue?: (line: ChartLine) => string;
}

/** A chart over time with its legend, a description of the step under the pointer, and the same in a table for screen readers. */
export function Chart(props: ChartProps) {
  const { title, lines, from, stepS, format, height } = props;
  const [hover, setHover] = useState<ChartHover | null>(null);
  const theme = useTheme();
  // A canvas cannot follow the stylesheet, so another theme or other lines mean another plot.
  const key = `${theme} ${props.kind} ${stepS} ${lines.map(({ id }) => id).join()}`;
  const shape = useMemo(() => ({ kind: props.kind, from, stepS, lines, height, axis: props.axis }), [props.kind, from, stepS, lines, height, props.axis]);
  const legendValue = props.legendValue ?? ((line: ChartLine) => format(lineTotal(line)));
  return (
    <div className="px-4 pb-4 pt-4 sm:px-5">
      <Legend lines={lines} value={legendValue} />
      <div className="relative mt-3">
        <Suspense fallback={<ChartSkeleton height={height} />}>
          <Plot key={key} shape={shape} label={summarise(title, lines, legendValue)} onHover={setHover} />
        </Suspense>
        {hover !== null && <Tip hover={hover} lines={lines} from={from} stepS={stepS} format={format} />}
      </div>
      <ChartTable {...props} />
    </div>
  );
}

function Legend({ lines, value }: { lines: readonly ChartLine[]; value: (line: ChartLine) => string }) {
  return (
    <ul className="flex flex-wrap gap-x-6 gap-y-2 text-xs">
      {lines.map((line) => (
        <li key={line.id} title={line.meaning}>
          <span className="flex items-center gap-1.5 text-muted">
            <Dot color={line.color} />
            {line.label}
          </span>
          <span className="ml-3.5 block text-[13px] font-medium">{value(line)}</span>
        </li>
      ))}
    </ul>
  );
}

export function Dot({ color }: { color: string }) {
  return <span aria-hidden="true" className="inline-block size-2 shrink-0 rounded-full" style={{ background: `var(${color})` }} />;
}

interface TipProps extends Pick<ChartProps, 'lines' | 'from' | 'stepS' | 'format'> {
  hover: ChartHover;
}

function Tip({ hover, lines, from, stepS, format }: TipProps) {
  const begin = from + hover.step * stepS * 1000;
  return (
    <div
      aria-hidden="true"
      className="pointer-events-none absolute top-0 z-10 min-w-44 rounded border border-line bg-raised p-2.5 text-xs shadow-sm"
      style={hover.flip ? { right: hover.offset } : { left: hover.offset }}
    >
      <p className="text-muted">{formatInstant(begin)}</p>
      <ul className="mt-1.5 grid gap-0.5">
        {lines.toReversed().map(({ id, label, color, values }) => {
          const value = values[hover.step];
          return (
            <li key={id} className="flex items-center gap-1.5">
              <Dot color={color} />
              {label}
              <span className="ml-auto pl-4">{value === null || value === undefined ? '–' : format(value)}</span>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

const TABLE_ROWS = 24;

/** The figures behind the chart, for those who do not see it. */
function ChartTable({ title, lines, from, stepS, format, kind }: ChartProps) {
  const steps = lines[0]?.values.length ?? 0;
  const perRow = Math.max(1, Math.ceil(steps / TABLE_ROWS));
  const rows = Array.from({ length: Math.ceil(steps / perRow) }, (_, row) => row * perRow);
  return (
    // A table is never narrower than its text, so it is the box around it that hides.
    <div className="sr-only">
      <table>
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col">From</th>
            {lines.map(({ id, label }) => (
              <th key={id} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row}>
              <th scope="row">{formatInstant(from + row * stepS * 1000)}</th>
              {lines.map(({ id, values }) => (
                <td key={id}>{cellOf(values.slice(row, row + perRow), kind, format)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function cellOf(values: readonly (number | null)[], kind: ChartProps['kind'], format: (value: number) => string): string {
  const numbers = values.filter((value) => value !== null);
  if (numbers.length === 0) return '–';
  return format(kind === 'bars' ? numbers.reduce((sum, value) => sum + value, 0) : Math.max(...numbers));
}

function summarise(title: string, lines: readonly ChartLine[], value: (line: ChartLine) => string): string {
  return `${title}: ${lines.map((line) => `${line.label} ${value(line)}`).join(', ')}. ${formatCount(lines[0]?.values.length ?? 0)} steps.`;
}
