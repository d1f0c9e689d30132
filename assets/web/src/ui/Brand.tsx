export function Brand() {
  return (
    <span className="flex items-center gap-2 text-[15px] font-semibold tracking-tight">
      <svg viewBox="0 0 16 16" className="size-5" aria-hidden="true">
        <rect width="16" height="16" rx="3" fill="var(--brand)" />
        <path d="M3.5 12V9.5M6.5 12V6M9.5 12V8M12.5 12V4" stroke="#fff" strokeWidth="1.75" strokeLinecap="round" />
      </svg>
      suiftly
    </span>
  );
}
