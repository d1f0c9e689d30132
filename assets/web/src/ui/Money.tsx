import { splitMoney } from '../format';

/** An amount in whole micro-dollars, exactly; digits below a cent stand back. */
export function Money({ micros, belowDigits = 0, className = '' }: { micros: number; belowDigits?: number; className?: string }) {
  const { cents, below } = splitMoney(micros, belowDigits);
  return (
    <span className={`whitespace-nowrap ${className}`}>
      {cents}
      {below !== '' && <span className="text-[0.72em] font-normal text-muted">{below}</span>}
    </span>
  );
}
