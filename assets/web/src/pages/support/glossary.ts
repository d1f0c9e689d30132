/** The words of the dashboard: one word for one thing. */
export const GLOSSARY: readonly { word: string; meaning: string }[] = [
  { word: 'Billable request', meaning: 'One within the guaranteed or the burst rate. Others cost nothing.' },
  { word: 'Guaranteed rate', meaning: 'Requests a second and region that are always served.' },
  { word: 'Burst', meaning: 'Requests above the guaranteed rate, served as far as there is room.' },
  { word: 'Rate-limited', meaning: 'Above both rates, and refused with 429.' },
  { word: 'Tier', meaning: 'Starter, Pro or Enterprise: a price and limits, for each service.' },
  { word: 'Escrow', meaning: 'Your account on Sui that holds USDC for invoices. It stays yours.' },
  { word: 'Spending limit', meaning: 'The most that may be charged from escrow in 28 days. The contract enforces it.' },
  { word: 'Spend cap', meaning: 'What a month’s usage may cost before you are told, or keys stop. We enforce it.' },
  { word: 'Credit', meaning: 'Money for invoices only, used before anything else.' },
  { word: 'Draft invoice', meaning: 'What this month has come to so far. It becomes an invoice when the month closes.' },
  { word: 'Runway', meaning: 'How long balance and credit last at the present rate, renewals included.' },
];
