/** How a traffic chart is drawn. uPlot paints on a canvas, so colours and fonts are read from the stylesheet when it is built. */
import uPlot from 'uplot';
import type { Series } from '../api';
import { CLASSES, chartTop, stackRates } from './traffic';

export const CHART_HEIGHT = 168;

const AXIS_WIDTH = 34;
const AXIS_FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif';
/** The last label hangs over the end of the axis by half its width. */
const NOW_WIDTH = 28;
const TIP_GAP = 12;

/** Which bucket the pointer is on, and where its description goes: that many pixels from the left, or from the right if `flip`. */
export interface Hover {
  bucket: number;
  offset: number;
  flip: boolean;
}

/** Bucket middles in seconds, then the stack from its full height down, so that each bar is painted over the taller one behind it. */
export function chartData(series: Series): uPlot.AlignedData {
  const step = series.step_ms / 1000;
  const from = Date.parse(series.from) / 1000;
  const middles = series.guaranteed.map((_, bucket) => from + (bucket + 0.5) * step);
  return [middles, ...stackRates(series).toReversed()];
}

export function chartOptions(
  element: HTMLElement,
  guaranteedPerS: number,
  onHover: (hover: Hover | null) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const bars = uPlot.paths.bars?.({ size: [0.8, 100], gap: 0 });
  return {
    width: element.clientWidth,
    height: CHART_HEIGHT,
    padding: [8, NOW_WIDTH / 2, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false, setScale: false } },
    scales: {
      x: { time: false, range: (chart) => windowOf(chart) },
      y: { range: (chart) => [0, chartTop(peakOf(chart), guaranteedPerS)] },
    },
    axes: [minuteAxis(color), rateAxis(color)],
    series: [
      {},
      ...CLASSES.toReversed().map(({ id, label }) => ({
        label,
        fill: color(`--class-${id}`),
        width: 0,
        points: { show: false },
        ...(bars === undefined ? {} : { paths: bars }),
      })),
    ],
    hooks: {
      draw: [(chart) => stripeLastBucket(chart, color('--raised')), (chart) => drawGuaranteed(chart, guaranteedPerS, color('--ink'))],
      setCursor: [(chart) => onHover(hoverOf(chart))],
    },
  };
}

function minuteAxis(color: (name: string) => string): uPlot.Axis {
  return {
    size: 24,
    gap: 6,
    font: AXIS_FONT,
    stroke: color('--muted'),
    grid: { show: false },
    ticks: { show: true, size: 4, width: 1, stroke: color('--line') },
    // The window moves, its labels do not: they say how long ago, and stay where they are.
    splits: (chart) => {
      const [from, to] = windowOf(chart);
      return [0, 1, 2, 3, 4, 5].map((minute) => from + (minute * (to - from)) / 5);
    },
    values: () => ['', '−4 min', '−3', '−2', '−1', 'now'],
  };
}

function rateAxis(color: (name: string) => string): uPlot.Axis {
  return {
    size: AXIS_WIDTH,
    gap: 6,
    font: AXIS_FONT,
    stroke: color('--muted'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
    splits: (_chart, _axis, _min, max) => [0, max / 2, max],
    values: (_chart, splits) => splits.map((value) => String(value)),
  };
}

function windowOf(chart: uPlot): [number, number] {
  const middles = chart.data[0];
  const first = middles[0] ?? 0;
  const last = middles.at(-1) ?? first + 1;
  const half = middles.length > 1 ? (last - first) / (middles.length - 1) / 2 : 0.5;
  return [first - half, last + half];
}

/** The first series drawn is the whole stack. */
function peakOf(chart: uPlot): number {
  return Math.max(0, ...Array.from(chart.data[1] ?? [], (height) => height ?? 0));
}

/** The last bucket is still filling, and looks like traffic falling off. Stripes say so; a paler colour could be another class. */
function stripeLastBucket(chart: uPlot, surface: string): void {
  const { ctx, bbox } = chart;
  const width = bbox.width / Math.max(1, chart.data[0].length);
  const stripe = 2 * uPlot.pxRatio;
  ctx.save();
  ctx.fillStyle = surface;
  for (let y = bbox.top + bbox.height - stripe; y > bbox.top; y -= 2 * stripe) {
    ctx.fillRect(bbox.left + bbox.width - width, y, width, stripe / 2);
  }
  ctx.restore();
}

function drawGuaranteed(chart: uPlot, perSecond: number, stroke: string): void {
  const max = chart.scales['y']?.max ?? 0;
  if (perSecond > max) return;
  const { ctx, bbox } = chart;
  const y = Math.round(chart.valToPos(perSecond, 'y', true)) + 0.5;
  ctx.save();
  ctx.strokeStyle = stroke;
  ctx.lineWidth = uPlot.pxRatio;
  ctx.setLineDash([4 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

function hoverOf(chart: uPlot): Hover | null {
  const { idx, left } = chart.cursor;
  if (idx === null || idx === undefined || left === undefined || left < 0) return null;
  const width = chart.over.clientWidth;
  const flip = left > width / 2;
  return { bucket: idx, flip, offset: flip ? width - left + NOW_WIDTH / 2 + TIP_GAP : AXIS_WIDTH + left + TIP_GAP };
}
