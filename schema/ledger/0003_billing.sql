-- Step 3: billing. The books, credits, payments, escrow accounts on the chain, and what the monthly cycle has done.

-- Invoices begin as drafts, so that what is issued has been checked: its lines sum to its amount, and its number is
-- the next one. From then on it stays what it is; only credits come and go while it is unpaid.
CREATE TRIGGER IF NOT EXISTS invoices_begin_as_drafts BEFORE INSERT ON invoices WHEN NEW.state <> 'draft'
BEGIN SELECT RAISE(ABORT, 'an invoice begins as a draft'); END;

CREATE TRIGGER IF NOT EXISTS invoices_issue BEFORE UPDATE ON invoices WHEN OLD.state = 'draft' AND NEW.state <> 'draft'
BEGIN
    SELECT RAISE(ABORT, 'invoices are numbered without gaps')
    WHERE NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM invoices);
END;

CREATE TRIGGER IF NOT EXISTS invoices_add_up BEFORE UPDATE ON invoices
WHEN NEW.state <> 'draft' AND (NEW.state <> OLD.state OR NEW.amount_micros <> OLD.amount_micros)
BEGIN
    SELECT RAISE(ABORT, 'the lines of an invoice sum to its amount')
    WHERE NEW.amount_micros <> (SELECT coalesce(sum(amount_micros), 0) FROM invoice_lines
                                WHERE invoice_id = NEW.invoice_id);
END;

CREATE TRIGGER IF NOT EXISTS invoices_stay BEFORE UPDATE ON invoices
WHEN OLD.state <> 'draft' AND (NEW.state = 'draft'
    OR (OLD.state IN ('paid', 'voided') AND (NEW.state, NEW.amount_micros) IS NOT (OLD.state, OLD.amount_micros))
    OR (NEW.invoice_id, NEW.customer_id, NEW.month, NEW.purpose, NEW.service, NEW.to_tier, NEW.number, NEW.issued_at_ms)
    IS NOT (OLD.invoice_id, OLD.customer_id, OLD.month, OLD.purpose, OLD.service, OLD.to_tier, OLD.number,
        OLD.issued_at_ms))
BEGIN SELECT RAISE(ABORT, 'an issued invoice does not change'); END;

CREATE TRIGGER IF NOT EXISTS invoices_no_delete BEFORE DELETE ON invoices WHEN OLD.state <> 'draft'
BEGIN SELECT RAISE(ABORT, 'an issued invoice is not deleted'); END;

CREATE TRIGGER IF NOT EXISTS invoice_lines_no_insert BEFORE INSERT ON invoice_lines
WHEN EXISTS (SELECT 1 FROM invoices WHERE invoice_id = NEW.invoice_id AND (state IN ('paid', 'voided')
    OR (state <> 'draft' AND NEW.kind <> 'credit')))
BEGIN SELECT RAISE(ABORT, 'an issued invoice gets no more lines'); END;

CREATE TRIGGER IF NOT EXISTS invoice_lines_no_update BEFORE UPDATE ON invoice_lines
WHEN EXISTS (SELECT 1 FROM invoices WHERE invoice_id IN (OLD.invoice_id, NEW.invoice_id) AND state <> 'draft')
BEGIN SELECT RAISE(ABORT, 'lines of an issued invoice do not change'); END;

CREATE TRIGGER IF NOT EXISTS invoice_lines_no_delete BEFORE DELETE ON invoice_lines
WHEN EXISTS (SELECT 1 FROM invoices WHERE invoice_id = OLD.invoice_id AND (state IN ('paid', 'voided')
    OR (state <> 'draft' AND OLD.kind <> 'credit')))
BEGIN SELECT RAISE(ABORT, 'lines of an issued invoice are not deleted'); END;

-- What a customer need not pay, by grant. What is left is the balance of the account credit:<credit_id>, too; the
-- verifier compares them.
CREATE TABLE IF NOT EXISTS credits (
    credit_id        INTEGER PRIMARY KEY,
    customer_id      INTEGER NOT NULL REFERENCES customers (customer_id),
    reason           TEXT NOT NULL
        CHECK (reason = 'reconciliation' OR reason = 'goodwill' OR reason = 'promo' OR reason = 'outage'
            OR reason = 'refund'),
    granted_micros   INTEGER NOT NULL CHECK (granted_micros > 0),
    remaining_micros INTEGER NOT NULL CHECK (remaining_micros BETWEEN 0 AND granted_micros),
    granted_at_ms    INTEGER NOT NULL,
    expires_at_ms    INTEGER, -- none: never
    expirations      INTEGER NOT NULL DEFAULT 0 CHECK (expirations >= 0), -- how often what was left has expired
    invoice_id       INTEGER REFERENCES invoices (invoice_id), -- that it was granted for
    note             TEXT NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS credits_of_customer ON credits (customer_id, credit_id);

CREATE TRIGGER IF NOT EXISTS credits_stay BEFORE UPDATE ON credits
WHEN (NEW.credit_id, NEW.customer_id, NEW.reason, NEW.granted_micros, NEW.granted_at_ms, NEW.expires_at_ms,
        NEW.invoice_id)
    IS NOT (OLD.credit_id, OLD.customer_id, OLD.reason, OLD.granted_micros, OLD.granted_at_ms, OLD.expires_at_ms,
        OLD.invoice_id)
BEGIN SELECT RAISE(ABORT, 'only what is left of a credit changes'); END;

CREATE TRIGGER IF NOT EXISTS credits_no_delete BEFORE DELETE ON credits
BEGIN SELECT RAISE(ABORT, 'credits are not deleted'); END;

-- What was taken off an invoice after it was issued. The number is printed, and has no gaps.
CREATE TABLE IF NOT EXISTS credit_notes (
    credit_note_id INTEGER PRIMARY KEY CHECK (credit_note_id >= 1),
    customer_id    INTEGER NOT NULL REFERENCES customers (customer_id),
    invoice_id     INTEGER NOT NULL REFERENCES invoices (invoice_id),
    amount_micros  INTEGER NOT NULL CHECK (amount_micros > 0 AND amount_micros % 10000 = 0),
    reason         TEXT NOT NULL CHECK (reason <> ''),
    issued_at_ms   INTEGER NOT NULL,
    state          TEXT NOT NULL DEFAULT 'sent' CHECK (state = 'sent' OR state = 'paid' OR state = 'credited'),
    reference      TEXT CHECK (reference <> ''),               -- the transaction on the chain that paid it back
    credit_id      INTEGER REFERENCES credits (credit_id),     -- that it became
    CHECK ((state = 'paid') = (reference IS NOT NULL)),
    CHECK ((state = 'credited') = (credit_id IS NOT NULL))
) STRICT;

CREATE INDEX IF NOT EXISTS credit_notes_of_invoice ON credit_notes (invoice_id);

CREATE TRIGGER IF NOT EXISTS credit_notes_issue BEFORE INSERT ON credit_notes
WHEN NEW.credit_note_id <> (SELECT coalesce(max(credit_note_id), 0) + 1 FROM credit_notes)
BEGIN SELECT RAISE(ABORT, 'credit notes are numbered without gaps'); END;

CREATE TRIGGER IF NOT EXISTS credit_notes_stay BEFORE UPDATE ON credit_notes
WHEN OLD.state <> 'sent'
    OR (NEW.credit_note_id, NEW.customer_id, NEW.invoice_id, NEW.amount_micros, NEW.reason, NEW.issued_at_ms)
    IS NOT (OLD.credit_note_id, OLD.customer_id, OLD.invoice_id, OLD.amount_micros, OLD.reason, OLD.issued_at_ms)
BEGIN SELECT RAISE(ABORT, 'a credit note does not change'); END;

CREATE TRIGGER IF NOT EXISTS credit_notes_no_delete BEFORE DELETE ON credit_notes
BEGIN SELECT RAISE(ABORT, 'a credit note is not deleted'); END;

-- The books: double entry, append-only. An entry's postings are written first; the entry, which may only be the next
-- one, seals them: it is refused unless they sum to zero in each currency. Postings without their entry cannot be
-- committed, because the foreign key is checked at the end of the transaction, and a sealed entry gets no more.
CREATE TABLE IF NOT EXISTS ledger_entries (
    entry_id        INTEGER PRIMARY KEY CHECK (entry_id >= 1), -- without gaps
    idempotency_key TEXT NOT NULL UNIQUE CHECK (idempotency_key <> ''),
    at_ms           INTEGER NOT NULL,
    reason          TEXT NOT NULL CHECK (reason <> '' AND reason NOT GLOB '*[^a-z_]*'),
    customer_id     INTEGER NOT NULL REFERENCES customers (customer_id),
    invoice_id      INTEGER REFERENCES invoices (invoice_id),
    credit_id       INTEGER REFERENCES credits (credit_id),
    credit_note_id  INTEGER REFERENCES credit_notes (credit_note_id),
    charge_key      TEXT CHECK (charge_key <> ''), -- the idempotency key of a charge
    reference       TEXT CHECK (reference <> '')   -- the transaction on the chain
) STRICT;

CREATE INDEX IF NOT EXISTS ledger_entries_of_customer ON ledger_entries (customer_id, entry_id);
CREATE INDEX IF NOT EXISTS ledger_entries_of_invoice ON ledger_entries (invoice_id, entry_id)
WHERE invoice_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS ledger_postings (
    entry_id      INTEGER NOT NULL REFERENCES ledger_entries (entry_id) DEFERRABLE INITIALLY DEFERRED,
    position      INTEGER NOT NULL CHECK (position >= 0),
    customer_id   INTEGER NOT NULL, -- the entry's
    account       TEXT NOT NULL CHECK (account <> '' AND account NOT GLOB '*[^a-z_]*'),
    sub_account   TEXT NOT NULL,    -- the number of a credit, the kind of revenue; empty where there is none
    currency      TEXT NOT NULL CHECK (currency IN ('USD', 'USDC')),
    amount_micros INTEGER NOT NULL CHECK (amount_micros <> 0), -- positive: debit, negative: credit
    at_ms         INTEGER NOT NULL, -- the entry's
    PRIMARY KEY (entry_id, position)
) STRICT, WITHOUT ROWID;

-- Balances, as of any time, from this index alone.
CREATE INDEX IF NOT EXISTS ledger_postings_by_account
ON ledger_postings (customer_id, account, sub_account, currency, at_ms, amount_micros);

CREATE TRIGGER IF NOT EXISTS ledger_entries_seal BEFORE INSERT ON ledger_entries
BEGIN
    SELECT RAISE(ABORT, 'entries are numbered without gaps')
    WHERE NEW.entry_id <> (SELECT coalesce(max(entry_id), 0) + 1 FROM ledger_entries);
    SELECT RAISE(ABORT, 'there is an entry with this key')
    WHERE EXISTS (SELECT 1 FROM ledger_entries WHERE idempotency_key = NEW.idempotency_key);
    SELECT RAISE(ABORT, 'the invoice and the credit of an entry are its customer''s')
    WHERE NEW.customer_id <> (SELECT customer_id FROM invoices WHERE invoice_id = NEW.invoice_id)
       OR NEW.customer_id <> (SELECT customer_id FROM credits WHERE credit_id = NEW.credit_id);
    SELECT RAISE(ABORT, 'an invoice is paid once')
    WHERE NEW.reason = 'invoice_paid' AND EXISTS (SELECT 1 FROM ledger_entries
                                                  WHERE invoice_id = NEW.invoice_id AND reason = 'invoice_paid');
    -- Its postings are read once. There is a sum for each currency that a posting may have.
    SELECT CASE
        WHEN count(*) < 2 OR max(position) <> count(*) - 1
            THEN RAISE(ABORT, 'an entry has two postings or more, numbered from 0')
        WHEN max(at_ms <> NEW.at_ms OR customer_id <> NEW.customer_id)
            THEN RAISE(ABORT, 'postings have the time and the customer of their entry')
        WHEN sum(iif(currency = 'USD', amount_micros, 0)) <> 0 OR sum(iif(currency = 'USDC', amount_micros, 0)) <> 0
            THEN RAISE(ABORT, 'the postings of an entry sum to zero in each currency')
    END FROM ledger_postings WHERE entry_id = NEW.entry_id;
END;

CREATE TRIGGER IF NOT EXISTS ledger_postings_before_entry BEFORE INSERT ON ledger_postings
WHEN NEW.entry_id <> (SELECT coalesce(max(entry_id), 0) + 1 FROM ledger_entries)
BEGIN SELECT RAISE(ABORT, 'postings are for the next entry'); END;

CREATE TRIGGER IF NOT EXISTS ledger_entries_no_update BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;

CREATE TRIGGER IF NOT EXISTS ledger_entries_no_delete BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;

CREATE TRIGGER IF NOT EXISTS ledger_postings_no_update BEFORE UPDATE ON ledger_postings
BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;

CREATE TRIGGER IF NOT EXISTS ledger_postings_no_delete BEFORE DELETE ON ledger_postings
BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;

-- Customers whose books do not add up, or differ from the chain: nothing is charged until a person has looked.
CREATE TABLE IF NOT EXISTS parked_customers (
    customer_id INTEGER PRIMARY KEY REFERENCES customers (customer_id),
    reason      TEXT NOT NULL CHECK (reason <> ''),
    since_ms    INTEGER NOT NULL
) STRICT;

-- How a customer pays, in the customer's order.
CREATE TABLE IF NOT EXISTS payment_methods (
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    position    INTEGER NOT NULL CHECK (position >= 0),
    method      TEXT NOT NULL CHECK (method IN ('escrow')),
    PRIMARY KEY (customer_id, position),
    UNIQUE (customer_id, method)
) STRICT, WITHOUT ROWID;

-- The outbox of payments. What is sent is sent again, with the same key, until there is an answer. An answer is final,
-- with one exception: a demand that was declined and whose money came after all has succeeded.
CREATE TABLE IF NOT EXISTS charges (
    charge_id       INTEGER PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE CHECK (idempotency_key <> ''),
    customer_id     INTEGER NOT NULL REFERENCES customers (customer_id),
    invoice_id      INTEGER NOT NULL REFERENCES invoices (invoice_id),
    direction       TEXT NOT NULL CHECK (direction IN ('charge', 'refund')),
    attempt         INTEGER NOT NULL CHECK (attempt >= 1),
    round           INTEGER NOT NULL CHECK (round >= 0),
    method          TEXT NOT NULL CHECK (method IN ('escrow')),
    amount_micros   INTEGER NOT NULL CHECK (amount_micros > 0 AND amount_micros % 10000 = 0),
    state           TEXT NOT NULL CHECK (state = 'sent' OR state = 'succeeded' OR state = 'declined'),
    asked_at_ms     INTEGER NOT NULL,
    send_at_ms      INTEGER NOT NULL, -- when to send it, or again
    sends           INTEGER NOT NULL CHECK (sends >= 0),
    last_error      TEXT,             -- of the last time without an answer
    answered_at_ms  INTEGER,
    reference       TEXT CHECK (reference <> ''), -- the transaction on the chain
    reason          TEXT CHECK (reason <> ''),    -- why it was declined; stays if the money came after all
    UNIQUE (invoice_id, direction, attempt),
    CHECK ((state = 'sent') = (answered_at_ms IS NULL)),
    CHECK ((state = 'succeeded') = (reference IS NOT NULL)),
    CHECK (state = 'succeeded' OR (state = 'declined') = (reason IS NOT NULL))
) STRICT;

-- An invoice is charged once: one demand waits for an answer at a time, each is for all that is owed at that moment, and
-- what is paid or owes nothing asks for nothing. Two demands may have succeeded all the same, if one was declined and its
-- money came after all: the books pay an invoice once (ledger_entries_seal), so that the other one's money is a credit.
CREATE UNIQUE INDEX IF NOT EXISTS charges_once ON charges (invoice_id) WHERE direction = 'charge' AND state = 'sent';
CREATE INDEX IF NOT EXISTS charges_outbox ON charges (send_at_ms, charge_id) WHERE state = 'sent';
CREATE INDEX IF NOT EXISTS charges_of_customer ON charges (customer_id, charge_id);

CREATE TRIGGER IF NOT EXISTS charges_begin_sent BEFORE INSERT ON charges WHEN NEW.state <> 'sent'
BEGIN SELECT RAISE(ABORT, 'a charge begins without an answer'); END;

CREATE TRIGGER IF NOT EXISTS charges_ask_for_what_is_owed BEFORE INSERT ON charges
WHEN NEW.direction = 'charge' AND NOT EXISTS (SELECT 1 FROM invoices WHERE invoice_id = NEW.invoice_id
    AND customer_id = NEW.customer_id AND state = 'pending' AND amount_micros = NEW.amount_micros)
BEGIN SELECT RAISE(ABORT, 'a charge is what its invoice demands'); END;

CREATE TRIGGER IF NOT EXISTS charges_stay BEFORE UPDATE ON charges
WHEN (OLD.state <> 'sent' AND (OLD.direction, OLD.state, NEW.state, NEW.reason)
        IS NOT ('charge', 'declined', 'succeeded', OLD.reason))
    OR (OLD.state = 'sent' AND NEW.state = 'succeeded' AND NEW.reason IS NOT NULL)
    OR (NEW.charge_id, NEW.idempotency_key, NEW.customer_id, NEW.invoice_id, NEW.direction, NEW.attempt, NEW.method,
        NEW.amount_micros)
    IS NOT (OLD.charge_id, OLD.idempotency_key, OLD.customer_id, OLD.invoice_id, OLD.direction, OLD.attempt,
        OLD.method, OLD.amount_micros)
BEGIN SELECT RAISE(ABORT, 'what is charged, and the answer, do not change'); END;

CREATE TRIGGER IF NOT EXISTS charges_no_delete BEFORE DELETE ON charges
BEGIN SELECT RAISE(ABORT, 'charges are not deleted'); END;

-- Escrow accounts as the chain showed them last.
CREATE TABLE IF NOT EXISTS escrow_accounts (
    customer_id           INTEGER PRIMARY KEY REFERENCES customers (customer_id),
    object_id             TEXT NOT NULL UNIQUE CHECK (length(object_id) = 66 AND object_id GLOB '0x*'),
    created_at_ms         INTEGER NOT NULL, -- on the chain: its periods are counted from here
    balance_micros        INTEGER NOT NULL, -- less than 0 while a charge is known before what was paid in
    spending_limit_micros INTEGER NOT NULL CHECK (spending_limit_micros >= 0), -- for a period; 0: unlimited
    period                INTEGER NOT NULL CHECK (period >= 0),
    period_charged_micros INTEGER NOT NULL CHECK (period_charged_micros >= 0), -- in that period
    mirrored_at_ms        INTEGER NOT NULL
) STRICT;

-- Transactions that we have built for a wallet to sign, until what they did is in the books.
CREATE TABLE IF NOT EXISTS wallet_transactions (
    digest         TEXT PRIMARY KEY CHECK (digest <> ''),
    customer_id    INTEGER NOT NULL REFERENCES customers (customer_id),
    kind           TEXT NOT NULL CHECK (kind IN ('deposit', 'withdraw', 'set_spending_limit')),
    amount_micros  INTEGER NOT NULL CHECK (amount_micros >= 0), -- or the limit
    content        TEXT NOT NULL, -- what is signed
    state          TEXT NOT NULL CHECK (state IN ('built', 'signed', 'seen', 'final', 'credited', 'failed')),
    signature      TEXT, -- none: nothing is signed, or the wallet handed it in by itself
    event_index    INTEGER CHECK (event_index >= 0), -- of the event by which it went into the books
    failure        TEXT CHECK (failure <> ''),
    built_at_ms    INTEGER NOT NULL,
    expires_at_ms  INTEGER NOT NULL,
    updated_at_ms  INTEGER NOT NULL,
    CHECK ((state = 'credited') = (event_index IS NOT NULL)),
    CHECK ((state = 'failed') = (failure IS NOT NULL)),
    CHECK (state <> 'signed' OR signature IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS wallet_transactions_of_customer ON wallet_transactions (customer_id, built_at_ms, digest);
CREATE INDEX IF NOT EXISTS wallet_transactions_open ON wallet_transactions (digest, state, expires_at_ms)
WHERE state IN ('built', 'signed', 'seen', 'final');

-- Events of the chain as they were told, each once. One is taken into the books when its wallet is a customer's.
CREATE TABLE IF NOT EXISTS chain_events (
    chain_event_id INTEGER PRIMARY KEY,
    digest         TEXT NOT NULL CHECK (digest <> ''),
    event_index    INTEGER NOT NULL CHECK (event_index >= 0),
    kind           TEXT NOT NULL CHECK (kind IN ('created', 'deposited', 'withdrawn', 'charged', 'credited',
                                                 'spending_limit_set')),
    rank           INTEGER NOT NULL CHECK (rank BETWEEN 0 AND 5), -- of what happened at the same instant, what comes first
    object_id      TEXT NOT NULL,
    owner          TEXT NOT NULL CHECK (owner <> ''), -- the account's wallet
    order_key      TEXT CHECK (order_key <> ''),      -- of what the operator ordered
    amount_micros  INTEGER NOT NULL CHECK (amount_micros >= 0), -- or the new limit
    at_ms          INTEGER NOT NULL,
    try_at_ms      INTEGER, -- when to take it in, or again; none: its wallet is nobody's here, or it is taken
    error          TEXT,    -- of the last try
    customer_id    INTEGER REFERENCES customers (customer_id), -- in whose books it is; none: it waits
    taken_at_ms    INTEGER,
    UNIQUE (digest, event_index),
    CHECK ((kind IN ('charged', 'credited')) = (order_key IS NOT NULL)),
    CHECK ((customer_id IS NULL) = (taken_at_ms IS NULL)),
    CHECK (taken_at_ms IS NULL OR try_at_ms IS NULL)
) STRICT;

CREATE INDEX IF NOT EXISTS chain_events_of_customer ON chain_events (customer_id, at_ms) WHERE customer_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS chain_events_to_take ON chain_events (at_ms, rank, chain_event_id)
WHERE try_at_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS chain_events_waiting ON chain_events (owner) WHERE taken_at_ms IS NULL;

-- What tells this ledger's orders on the chain from those of another one.
CREATE TABLE IF NOT EXISTS ledger_identity (
    only_one  INTEGER PRIMARY KEY CHECK (only_one = 1),
    ledger_id TEXT NOT NULL CHECK (length(ledger_id) = 16 AND ledger_id NOT GLOB '*[^0-9a-f]*')
) STRICT;

CREATE TRIGGER IF NOT EXISTS ledger_identity_no_update BEFORE UPDATE ON ledger_identity
BEGIN SELECT RAISE(ABORT, 'a ledger keeps its identity'); END;

CREATE TRIGGER IF NOT EXISTS ledger_identity_no_delete BEFORE DELETE ON ledger_identity
BEGIN SELECT RAISE(ABORT, 'a ledger keeps its identity'); END;

-- Until when the ledger was in use: what the machine's clock is held against at the next start.
CREATE TABLE IF NOT EXISTS clock_mark (
    only_one     INTEGER PRIMARY KEY CHECK (only_one = 1),
    in_use_at_ms INTEGER NOT NULL
) STRICT;

-- Up to where the events of each chain have been read.
CREATE TABLE IF NOT EXISTS chain_cursor (
    chain         TEXT PRIMARY KEY CHECK (chain <> ''),
    position      TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Months that could not be closed for a customer. No row: nothing has failed.
CREATE TABLE IF NOT EXISTS unclosed_months (
    customer_id   INTEGER NOT NULL REFERENCES customers (customer_id),
    month         TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'),
    failures      INTEGER NOT NULL CHECK (failures >= 1), -- in a row
    error         TEXT NOT NULL,                          -- of the last one
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (customer_id, month)
) STRICT, WITHOUT ROWID;

-- What usage may cost in a month at most, as the customer wants it, and what has been said of it.
CREATE TABLE IF NOT EXISTS spend_caps (
    customer_id   INTEGER PRIMARY KEY REFERENCES customers (customer_id),
    cap_micros    INTEGER CHECK (cap_micros > 0), -- none: no cap
    hard_stop     INTEGER NOT NULL CHECK (hard_stop IN (0, 1)),
    month         TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'), -- that the rest is about
    told_percent  INTEGER NOT NULL CHECK (told_percent BETWEEN 0 AND 100),
    stopped       INTEGER NOT NULL CHECK (stopped IN (0, 1)),
    spent_micros  INTEGER NOT NULL CHECK (spent_micros >= 0), -- on usage of the month so far
    updated_at_ms INTEGER NOT NULL
) STRICT;

-- Customers who do not pay. No row: in good standing.
CREATE TABLE IF NOT EXISTS dunning (
    customer_id INTEGER PRIMARY KEY REFERENCES customers (customer_id),
    since_ms    INTEGER NOT NULL, -- the first failure that grace counts from
    notices     INTEGER NOT NULL CHECK (notices >= 0),
    suspended   INTEGER NOT NULL CHECK (suspended IN (0, 1))
) STRICT;

-- What customers were told, each once.
CREATE TABLE IF NOT EXISTS billing_notices (
    billing_notice_id INTEGER PRIMARY KEY,
    customer_id       INTEGER NOT NULL REFERENCES customers (customer_id),
    notice_key        TEXT NOT NULL CHECK (notice_key <> ''),
    kind              TEXT NOT NULL CHECK (kind <> '' AND kind NOT GLOB '*[^a-z_]*'),
    details           TEXT NOT NULL, -- a JSON object
    at_ms             INTEGER NOT NULL,
    read_at_ms        INTEGER,
    UNIQUE (customer_id, notice_key)
) STRICT;

CREATE INDEX IF NOT EXISTS billing_notices_of_customer ON billing_notices (customer_id, billing_notice_id);

-- How far billing is with each customer. A row from the first decision on.
CREATE TABLE IF NOT EXISTS billing_standing (
    customer_id INTEGER PRIMARY KEY REFERENCES customers (customer_id),
    month       TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'), -- whose beginning was carried out
    draft_month TEXT NOT NULL CHECK (draft_month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'), -- to be closed next
    has_paid    INTEGER NOT NULL CHECK (has_paid IN (0, 1)), -- whether an invoice was ever paid
    next_due_ms INTEGER -- when time brings something about next
) STRICT;

CREATE INDEX IF NOT EXISTS billing_standing_due ON billing_standing (next_due_ms) WHERE next_due_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS billing_standing_to_close ON billing_standing (draft_month, customer_id);

-- What was billed of usage, corrections taken off: one row for each stretch of time with one price.
CREATE TABLE IF NOT EXISTS billed_usage (
    customer_id   INTEGER NOT NULL REFERENCES customers (customer_id),
    month         TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'),
    service       INTEGER NOT NULL CHECK (service BETWEEN 1 AND 255),
    measure       TEXT NOT NULL CHECK (measure IN ('requests', 'bandwidth')),
    from_ms       INTEGER NOT NULL,
    to_ms         INTEGER NOT NULL CHECK (to_ms > from_ms),
    quantity      INTEGER NOT NULL CHECK (quantity >= 0),
    price_micros  INTEGER NOT NULL CHECK (price_micros >= 0), -- for every price_per pieces
    price_per     INTEGER NOT NULL CHECK (price_per > 0),
    amount_micros INTEGER NOT NULL CHECK (amount_micros >= 0),
    tax_micros    INTEGER NOT NULL CHECK (tax_micros >= 0), -- on the amount, not rounded
    PRIMARY KEY (customer_id, month, service, measure, from_ms, to_ms)
) STRICT, WITHOUT ROWID;

-- Months of which usage became known after they were billed: to be settled with the next invoice.
CREATE TABLE IF NOT EXISTS late_usage (
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    month       TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'),
    PRIMARY KEY (customer_id, month)
) STRICT, WITHOUT ROWID;

-- Customers whose drafts do not show all usage yet, as they wait. More news of a customer do not cost the place.
CREATE TABLE IF NOT EXISTS stale_drafts (
    place       INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id INTEGER NOT NULL UNIQUE,
    news        INTEGER NOT NULL DEFAULT 1 -- how much has been heard of the customer in this place
) STRICT;
