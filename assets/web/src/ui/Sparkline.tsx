interface SparklineProps {
  values: readonly number[];
  /** In words, for those who do not see it. */
  summary: string;
}

const WIDTH = 240;
const HEIGHT = 40;

export function Sparkline({ values, summary }: SparklineProps) {
  const top = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values.map((value, index) => `${(index * step).toFixed(1)},${(HEIGHT - 1 - (value / top) * (HEIGHT - 4)).toFixed(1)}`);
  return (
    <svg role="img" aria-label={summary} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" className="h-10 w-full">
      <polygon points={`0,${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}`} fill="var(--link)" opacity="0.08" />
      <polyline points={points.join(' ')} fill="none" stroke="var(--link)" strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
