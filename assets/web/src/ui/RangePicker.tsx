import type { Range } from '../server/names';
import { Segments } from './Segments';

export const RANGE_OPTIONS: readonly { value: Range; label: string }[] = [
  { value: '1h', label: '1 hour' },
  { value: '24h', label: '24 hours' },
  { value: '7d', label: '7 days' },
  { value: '30d', label: '30 days' },
  { value: '90d', label: '90 days' },
];

export function RangePicker({ value, onChange }: { value: Range; onChange: (range: Range) => void }) {
  return <Segments label="Time" value={value} options={RANGE_OPTIONS} onChange={onChange} />;
}
