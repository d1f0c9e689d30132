/** The terms that come with the dashboard; an operator who has others names their address in `http.terms_url`. */
export const TERMS: readonly { title: string; text: string }[] = [
  {
    title: 'What you get',
    text: 'Access to the services that you subscribe to, within the limits of the tier that you choose. The limits and prices in force are on each service’s page, and you see the exact charge before you confirm anything.',
  },
  {
    title: 'Your account',
    text: 'Your wallet is your account: whoever can sign with it, or with one of its sessions, tokens or keys, acts for you. Keep them to yourself, and revoke a key that others may have seen.',
  },
  {
    title: 'What you pay',
    text: 'A subscription is paid for a month in advance, usage after the month in which it happened. You pay for requests within the guaranteed and the burst rate; refused and rate-limited requests cost nothing, and neither does what was not counted.',
  },
  {
    title: 'How you pay',
    text: 'Credit is used first, then your escrow account, up to the spending limit that you have set. What is in escrow stays yours and can be withdrawn at any time; credit can be used for invoices only. If an invoice stays unpaid, services stop until it is paid; you are told before.',
  },
  {
    title: 'What is not allowed',
    text: 'Breaking the law with the services, attacking them or others through them, getting around limits, and selling your access on as if it were your own service.',
  },
  {
    title: 'How well it works',
    text: 'The services are run with care, but nothing is promised that is not written on the page of your tier. If a service is down, its requests are not billed. Nobody is liable for what was lost indirectly, and nobody for more than you paid in the last twelve months, as far as the law allows.',
  },
  {
    title: 'What is stored',
    text: 'Your wallet’s address, your settings, invoices and activity, and for each request its time, path, status, size, key and client address. Requests are deleted after the time that the logs page shows; invoices are kept as long as the law asks for. Contents of requests are not stored.',
  },
  {
    title: 'How it ends',
    text: 'You can cancel a subscription at any time, to the end of what is paid, and withdraw what is in escrow. The operator can end an account that breaks these terms; what is in escrow stays yours then, too.',
  },
  {
    title: 'When these terms change',
    text: 'A new version is shown here and waits on your dashboard to be accepted. The version that you accepted, and when, is in your settings and in your activity.',
  },
];
