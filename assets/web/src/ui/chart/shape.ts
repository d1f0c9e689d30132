/** What a chart is told. */
export interface ChartLine {
  id: string;
  label: string;
  meaning?: string;
  /** Name of a variable of the stylesheet, such as `--class-burst`. */
  color: string;
  /** One a step; `null` where there is none. */
  values: readonly (number | null)[];
}

export interface ChartShape {
  /** Bars are stacked, lines are not. */
  kind: 'bars' | 'lines';
  /** Beginning of the first step, in milliseconds. */
  from: number;
  stepS: number;
  lines: readonly ChartLine[];
  height: number;
  /** How values are written on the axis. */
  axis: (value: number) => string;
}

/** The step under the pointer, and where its description goes: pixels from the left, or from the right if `flip`. */
export interface ChartHover {
  step: number;
  offset: number;
  flip: boolean;
}

export function lineTotal({ values }: ChartLine): number {
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}

/** Each line on top of those before it. */
export function stack(lines: readonly ChartLine[]): number[][] {
  const heights = Array.from<number>({ length: lines[0]?.values.length ?? 0 }).fill(0);
  return lines.map(({ values }) => {
    for (const [step, value] of values.entries()) heights[step] = (heights[step] ?? 0) + (value ?? 0);
    return [...heights];
  });
}

/** Their halves and quarters are short numbers, too. */
const ROUND = [1, 2, 3, 4, 5, 6, 8, 10];
/** Half of it is written at the axis, and half a request would be strange. */
const LOWEST_TOP = 2;

/** A round top for an axis that reaches so high. */
export function roundTop(peak: number): number {
  if (peak <= LOWEST_TOP) return LOWEST_TOP;
  const power = 10 ** Math.floor(Math.log10(peak));
  const fits = (candidate: number) => candidate * power >= peak && (candidate * power) % 2 === 0;
  return (ROUND.find(fits) ?? 10) * power;
}
