//! One binary that turns an HAProxy into a business: it reads HAProxy's log, counts every request exactly once, keeps
//! customers and their draft invoices, and shows it live.
//!
//! # Modules, and who may use whom
//!
//! ```text
//! main → cli → { demo, bench } → daemon → { http, admin, jobs, intake, gateway } → app → { ledger, traffic, chain, seal } → core
//! ```
//! A test reads the sources and fails on an import against these arrows. One goes across: `http` hands what remote
//! gateways send to `intake`.
//!
//! | module | what it is |
//! |---|---|
//! | [`core`] | Pure: values in, values out. Ids, money, calendar, the log-line parser, billing, API keys, HAProxy's maps and configuration. No IO, no clock, no randomness. |
//! | [`ledger`] | SQLite: customers, sessions, services, keys, the activity log, prices, usage by hour, invoices, the double-entry books, what waits for the chain. Small and precious. The only place with its SQL. |
//! | [`traffic`] | DuckDB: requests, rollups, how far each log is read. Large. The only place with its SQL. |
//! | [`chain`] | The Sui side: what is done on the chain, behind one type. Simulated for now, and says so. |
//! | [`seal`] | Vault files on disk: written whole, read with suspicion. |
//! | [`app`] | Use cases: read the clock once, load, let `core` decide, apply in one transaction. |
//! | [`intake`] | Log bytes in: follows files through rotation, receives syslog and the streams of remote gateways into spools, imports packed files, frames and parses lines, fills batches. The hot path uses `core` and `traffic` directly. |
//! | [`gateway`] | The agent beside an HAProxy: takes vault files, verifies them, brings what they say into HAProxy's maps through its runtime socket and onto disk, and tells what is in force. On a host without a ledger, the client by which vaults come and the log goes. |
//! | [`jobs`] | The periodic manager: tasks without input that may be repeated at any time. |
//! | [`admin`] | The operator's way into a running process: a unix socket that `suiftly sql`, `suiftly traffic verify`, `suiftly verify-invoice`, `suiftly billing`, `suiftly gateways` and `suiftly notifications` use. |
//! | [`http`] | The API, the embedded page, server-sent events. All routes on one screen. |
//! | [`daemon`] | Wiring: lock, open, start, ready, ordered shutdown. |
//! | [`demo`] | A real HAProxy, a backend and customers around a daemon with temporary data, and an account at the end; or a year of business within a minute. |
//! | [`bench`](mod@bench) | Measurements that ship with the program. |
//! | [`cli`] | The command line. |
//! | [`config`], [`clock`], [`random`], [`telemetry`] | One typed configuration and the secrets; the only readers of time and of random bytes; the program's own log. |
//!
//! # Two stores, no distributed transaction
//!
//! `traffic.duckdb` owns the counts, `ledger.db` owns the money, and nothing is ever written to both at once. Usage
//! flows one way: [`app::meter`] copies the hours that changed into the ledger, *set* to a value and never added to,
//! together with how far the copy goes. So it can run twice, late, or after a crash at any point, and a lost traffic
//! store never takes billed usage with it.
//!
//! # The walk of one change
//!
//! 1. `http::gate` tells where a request comes from and whose it is, checks its `Origin`, and counts it against the limits.
//! 2. A handler of `http::api` reads it into types and calls one function of [`app`].
//! 3. `App::change` loads the account in a write transaction, lets [`core`] decide, and writes the outcome, an entry of
//!    the hash-chained activity log and, if the request is to happen once, its encrypted answer: all or nothing.
//! 4. The ledger's writer commits it together with what else waits, raises the customer's version, and only then
//!    replies; whatever was kept in memory of the customer is read anew, and pages that watch are told to do the same.
//! 5. If vaults show what has changed, triggers have numbered it, whichever statement it was. The commit wakes
//!    [`jobs::run_vaults`], which 50 ms later reads whom it concerns, lets [`core::vault`] make their entries, and has
//!    [`seal`] write a file with the next sequence. Until every gateway that is reached says that it works with that
//!    version, the service is shown as pending. [`core::gateway_fleet`] makes of the same answers how each gateway is and
//!    what a person must hear of; both are kept in the ledger.
//!
//! # The walk of one payment
//!
//! 1. The first of a month has come and all its log lines with it ([`core::billing::watermark`]): [`jobs`] closes the month
//!    of each customer in one transaction. [`core::billing`] decides, the ledger gets the invoice, its entries in the
//!    double-entry books and, if credit does not cover it, a charge without an answer. That row is the outbox.
//! 2. `app::escrow` sends every charge without an answer to the [`chain`], with a key of this ledger's own, again and again
//!    until there is an answer. The chain does a key once, and says the same for ever.
//! 3. The answer is an event, decided and written like every other one: paid, or the next try. The chain's own events tell
//!    it as well; whichever comes first counts, and the other changes nothing.
//! 4. A deposit is a transaction that the customer's wallet has signed. It counts when the chain's event of it is taken
//!    into the books, and then pays what is owed at once.
//! 5. Books, copies of accounts and chain are compared all the time. Who differs is parked: nothing is charged until a
//!    person has looked.
//!
//! # The walk of one log line
//!
//! 1. HAProxy writes a line in the [`s1`](core::log_line::s1) format, or in [another](core::log_line::Format).
//! 2. [`intake`] reads it at a known position of a file that it recognises by device, inode and first bytes; a line by
//!    syslog, or [from a remote gateway](core::gateway_stream), lies in a spool first, which is then read like a file.
//!    On the gateway's own host it lies in a spool as well, [from which it is sent](core::log_shipment) until the primary has it.
//! 3. [`core::log_line::parse_any`] reads its columns in place, or names the reason for which it goes to quarantine.
//! 4. A [`traffic::Batch`] fills with rows and with the deltas of the minute rollup, for at most 200 ms or a
//!    row group.
//! 5. [`traffic::Writer::append`] commits rows, deltas, rejected lines **and the new position in one transaction**. A
//!    crash before it reads the line again; a crash after it does not.
//! 6. The commit pokes [`jobs`], which set the usage of the hours that changed and redraw the draft invoices of their
//!    customers, in one transaction of the ledger.
//! 7. The page's feed gathers one overview for all who watch and pushes it to them.

pub mod admin;
pub mod app;
pub mod bench;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod daemon;
pub mod demo;
pub mod gateway;
pub mod http;
pub mod intake;
pub mod jobs;
pub mod ledger;
pub mod random;
pub mod seal;
pub mod telemetry;
pub mod traffic;
