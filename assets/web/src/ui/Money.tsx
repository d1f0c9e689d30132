import { splitMoney } from '../format';

/** An amount in whole micro-dollars, exactly; digits below a cent stand back. */
export function Money({ micros, className = '' }: { micros: number; className?: string }) {
  const { cents, below } = splitMoney(micros);
  return (
    <span className={`whitespace-nowrap ${className}`}>
      {cents}
      {below !== '' && <span className="text-[0.72em] font-normal text-muted">{below}</span>}
    </span>
  );
}
