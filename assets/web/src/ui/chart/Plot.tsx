import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatTick } from '../../format';
import type { ChartHover, ChartShape } from './shape';
import { roundTop, stack } from './shape';

interface PlotProps {
  shape: ChartShape;
  label: string;
  onHover: (hover: ChartHover | null) => void;
}

const AXIS_WIDTH = 52;
const TIP_GAP = 14;
/** A label that is nearer to the right edge would be cut off. */
const LABEL_ROOM = 12;
const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif';

/** Keeps one uPlot in its element, and only feeds and resizes it. */
export default function Plot({ shape, label, onHover }: PlotProps) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const first = useRef(shape);

  useEffect(() => {
    const element = holder.current;
    if (element === null) return undefined;
    const chart = new uPlot(optionsOf(element, first.current, onHover), dataOf(first.current), element);
    plot.current = chart;
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: first.current.height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [onHover]);

  useEffect(() => plot.current?.setData(dataOf(shape)), [shape]);

  return <div ref={holder} role="img" aria-label={label} style={{ height: shape.height }} />;
}

/** Middles of the steps in seconds, then what is drawn; bars from the full height of the stack down, so that each covers the taller behind it. */
function dataOf({ kind, from, stepS, lines }: ChartShape): uPlot.AlignedData {
  const middles = (lines[0]?.values ?? []).map((_, step) => from / 1000 + (step + 0.5) * stepS);
  const heights = kind === 'bars' ? stack(lines).toReversed() : lines.map(({ values }) => [...values]);
  return [middles, ...heights];
}

function optionsOf(element: HTMLElement, shape: ChartShape, onHover: PlotProps['onHover']): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const { kind, stepS, lines, height, axis } = shape;
  const bars = uPlot.paths.bars?.({ size: [0.84, 64], gap: 0 });
  const drawn = kind === 'bars' ? lines.toReversed() : lines;
  const text = { font: FONT, stroke: color('--muted') };
  return {
    width: element.clientWidth,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: kind === 'lines' }, drag: { x: false, y: false, setScale: false } },
    scales: {
      x: { time: false, range: (_chart, min, max) => [min - stepS / 2, max + stepS / 2] },
      y: { range: (_chart, _min, max) => [0, roundTop(max)] },
    },
    axes: [
      {
        ...text,
        size: 24,
        gap: 6,
        grid: { show: false },
        ticks: { show: true, size: 4, width: 1, stroke: color('--line') },
        space: 76,
        values: (_chart, splits) => splits.map((value) => formatTick(value * 1000, stepS)),
        splits: (chart) => timeSplits(chart, stepS),
      },
      {
        ...text,
        size: AXIS_WIDTH,
        gap: 6,
        grid: { stroke: color('--line'), width: 1 },
        ticks: { show: false },
        splits: (_chart, _index, _min, max) => [0, max / 4, max / 2, (3 * max) / 4, max],
        values: (_chart, splits) => splits.map((value, index) => (index % 2 === 0 ? axis(value) : '')),
      },
    ],
    series: [
      {},
      ...drawn.map(({ label, color: name }) =>
        kind === 'bars'
          ? { label, fill: color(name), width: 0, points: { show: false }, ...(bars === undefined ? {} : { paths: bars }) }
          : { label, stroke: color(name), width: 1.5, points: { show: false }, spanGaps: true },
      ),
    ],
    hooks: { setCursor: [(chart) => onHover(hoverOf(chart))] },
  };
}

const TICK_STEPS_S = [300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000];

/** Ticks where UTC's minutes, hours or days are round, as many as there is room for. */
function timeSplits(chart: uPlot, stepS: number): number[] {
  const { min = 0, max = 1 } = chart.scales['x'] ?? {};
  const room = Math.max(2, Math.floor(chart.bbox.width / uPlot.pxRatio / 68));
  const every = TICK_STEPS_S.find((step) => step >= stepS && (max - min) / step <= room) ?? 2_592_000;
  const first = Math.ceil(min / every) * every;
  const last = max - (LABEL_ROOM * uPlot.pxRatio * (max - min)) / Math.max(1, chart.bbox.width);
  return Array.from({ length: Math.max(0, Math.floor((last - first) / every) + 1) }, (_, tick) => first + tick * every);
}

function hoverOf(chart: uPlot): ChartHover | null {
  const { idx, left } = chart.cursor;
  if (idx === null || idx === undefined || left === undefined || left < 0) return null;
  const width = chart.over.clientWidth;
  const flip = left > width / 2;
  return { step: idx, flip, offset: flip ? width - left + TIP_GAP : AXIS_WIDTH + left + TIP_GAP };
}
