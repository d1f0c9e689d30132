import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Series } from '../../api';
import type { Hover } from '../chart';
import { CHART_HEIGHT, chartData, chartOptions } from '../chart';

interface PlotProps {
  series: Series;
  guaranteed: number;
  summary: string;
  onHover: (hover: Hover | null) => void;
}

/** Keeps one uPlot in its element, and only feeds and resizes it. */
export function Plot({ series, guaranteed, summary, onHover }: PlotProps) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);

  useEffect(() => {
    const element = holder.current;
    if (element === null) return undefined;
    const chart = new uPlot(chartOptions(element, guaranteed, onHover), undefined, element);
    plot.current = chart;
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: CHART_HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [guaranteed, onHover]);

  useEffect(() => plot.current?.setData(chartData(series)), [series]);

  return <div ref={holder} role="img" aria-label={summary} className="traffic-ink" style={{ height: CHART_HEIGHT }} />;
}
