-- The ledger as it is: the whole current schema, for reading. The numbered steps beside it lead here, and a test
-- proves that they do. Money is in micro-dollars, time in milliseconds since 1970 (UTC), both as integers.
-- What billing writes often has its words joined by OR: for three and more after IN, SQLite fills a table in memory in
-- each statement that has to check one.

-- Who is served. One wallet = one customer.
CREATE TABLE customers (
    customer_id    INTEGER PRIMARY KEY CHECK (customer_id BETWEEN 1 AND 4294967295), -- random, never sequential
    wallet_address TEXT NOT NULL UNIQUE
        CHECK (length(wallet_address) = 66 AND wallet_address GLOB '0x*'
               AND substr(wallet_address, 3) NOT GLOB '*[^0-9a-f]*'),
    name           TEXT NOT NULL DEFAULT '',
    status         TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'closed')),
    created_at_ms  INTEGER NOT NULL,
    terms_version         INTEGER, -- of the terms that were accepted last
    terms_accepted_at_ms  INTEGER
) STRICT;

-- Prices and limits; which keys there are and what they may be is said in core::config_global.
CREATE TABLE config_global (
    key   TEXT PRIMARY KEY CHECK (key <> ''),
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A copy of what the traffic store has counted, set and never added to. A line that names a customer whom nobody
-- knows is counted too, so customer_id is deliberately no foreign key.
CREATE TABLE usage_records (
    customer_id       INTEGER NOT NULL CHECK (customer_id BETWEEN 1 AND 4294967295),
    service           INTEGER NOT NULL CHECK (service BETWEEN 1 AND 255), -- 1 seal, 2 grpc, 3 graphql
    hour_ms           INTEGER NOT NULL CHECK (hour_ms % 3600000 = 0),     -- first millisecond of the hour, UTC
    requests          INTEGER NOT NULL CHECK (requests >= 0),
    billable_requests INTEGER NOT NULL CHECK (billable_requests BETWEEN 0 AND requests),
    billable_bytes    INTEGER NOT NULL CHECK (billable_bytes >= 0),
    PRIMARY KEY (customer_id, service, hour_ms)
) STRICT, WITHOUT ROWID;

-- How far usage_records follows each traffic store: the last batch whose hours have been copied.
CREATE TABLE metering_position (
    traffic_store TEXT PRIMARY KEY CHECK (traffic_store <> ''),
    batch         INTEGER NOT NULL CHECK (batch >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE invoices (
    invoice_id         INTEGER PRIMARY KEY,
    customer_id        INTEGER NOT NULL REFERENCES customers (customer_id),
    month              TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'),
    purpose            TEXT NOT NULL DEFAULT 'monthly'
        CHECK (purpose = 'monthly' OR purpose = 'subscribe' OR purpose = 'resume' OR purpose = 'upgrade'),
    service            INTEGER CHECK (service BETWEEN 1 AND 255), -- that it is for, unless monthly
    to_tier            TEXT CHECK (to_tier = 'starter' OR to_tier = 'pro' OR to_tier = 'enterprise'), -- of an upgrade
    state              TEXT NOT NULL
        CHECK (state = 'draft' OR state = 'pending' OR state = 'paid' OR state = 'failed' OR state = 'voided'),
    number             INTEGER UNIQUE CHECK (number >= 1), -- without gaps; a draft has none
    amount_micros      INTEGER NOT NULL CHECK (amount_micros % 10000 = 0), -- sum of the lines' amounts: whole cents
    usage_micros       INTEGER NOT NULL,                                   -- sum of amounts and remainders
    credit_on_payment_micros INTEGER NOT NULL DEFAULT 0 CHECK (credit_on_payment_micros >= 0),
    lines_received     INTEGER CHECK (lines_received >= 0), -- of the log, in its month, over all customers
    lines_lost         INTEGER CHECK (lines_lost >= 0),     -- and not billed
    issued_at_ms       INTEGER, -- when it left draft
    paid_at_ms         INTEGER,
    attempts           INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- how often a payment method was asked
    round              INTEGER NOT NULL DEFAULT 0 CHECK (round >= 0),    -- of asking one method after the other
    retries            INTEGER NOT NULL DEFAULT 0 CHECK (retries >= 0),  -- place in the schedule
    retry_at_ms        INTEGER, -- when it is tried again; none: not by itself
    first_failure_at_ms INTEGER,
    credit_changes     INTEGER NOT NULL DEFAULT 0 CHECK (credit_changes >= 0), -- how often credits came or went
    updated_at_ms      INTEGER NOT NULL,
    CHECK ((state = 'draft') = (number IS NULL)),
    CHECK ((state = 'draft') = (issued_at_ms IS NULL)),
    CHECK ((state = 'paid') = (paid_at_ms IS NOT NULL)),
    CHECK ((purpose = 'monthly') = (service IS NULL)),
    CHECK ((purpose = 'upgrade') = (to_tier IS NOT NULL)),
    CHECK ((lines_received IS NULL) = (lines_lost IS NULL))
) STRICT;

-- At most one draft per customer; one for another purpose lives within its transaction. One invoice for each month.
CREATE UNIQUE INDEX invoices_one_draft ON invoices (customer_id)
WHERE state = 'draft' AND purpose = 'monthly';
CREATE UNIQUE INDEX invoices_one_a_month ON invoices (customer_id, month)
WHERE purpose = 'monthly' AND (state = 'pending' OR state = 'paid' OR state = 'failed');
CREATE INDEX invoices_of_customer ON invoices (customer_id, invoice_id);

CREATE TABLE invoice_lines (
    invoice_id       INTEGER NOT NULL REFERENCES invoices (invoice_id),
    position         INTEGER NOT NULL CHECK (position >= 0),
    kind             TEXT NOT NULL
        CHECK (kind = 'subscription' OR kind = 'upgrade' OR kind = 'extra' OR kind = 'requests' OR kind = 'bandwidth'
            OR kind = 'late_requests' OR kind = 'late_bandwidth' OR kind = 'tax' OR kind = 'credit'),
    service          INTEGER CHECK (service BETWEEN 1 AND 255),
    month            TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'), -- that it is for
    tier             TEXT CHECK (tier = 'starter' OR tier = 'pro' OR tier = 'enterprise'),
    from_tier        TEXT
        CHECK (from_tier = 'starter' OR from_tier = 'pro' OR from_tier = 'enterprise'),      -- of an upgrade
    extra            TEXT CHECK (extra <> ''),                                        -- what there is more of
    credit_id        INTEGER,                                                         -- that it draws on
    quantity         INTEGER NOT NULL CHECK (quantity >= 0),
    price_micros     INTEGER NOT NULL,                   -- for every price_per pieces
    price_per        INTEGER NOT NULL CHECK (price_per > 0),
    amount_micros    INTEGER NOT NULL CHECK (amount_micros % 10000 = 0),              -- charged
    remainder_micros INTEGER NOT NULL CHECK (remainder_micros BETWEEN 0 AND 9999),    -- rounded off, not charged
    from_ms          INTEGER,                            -- when the usage happened
    to_ms            INTEGER CHECK (to_ms > from_ms),
    usage_sha256     BLOB CHECK (length(usage_sha256) = 32), -- of the hours of usage that it was made from
    PRIMARY KEY (invoice_id, position),
    CHECK ((kind = 'credit') = (credit_id IS NOT NULL)),
    CHECK (kind = 'credit' OR (amount_micros >= 0 AND price_micros >= 0)),
    CHECK ((from_ms IS NULL) = (to_ms IS NULL))
) STRICT, WITHOUT ROWID;

-- A sign-in and what followed from it: one refresh token at a time, of which only the SHA-256 is kept.
CREATE TABLE sessions (
    session_id      TEXT PRIMARY KEY CHECK (session_id GLOB 'ses_*'),
    customer_id     INTEGER NOT NULL REFERENCES customers (customer_id),
    refresh_sha256  BLOB NOT NULL CHECK (length(refresh_sha256) = 32),
    created_at_ms   INTEGER NOT NULL,
    refreshed_at_ms INTEGER NOT NULL,
    expires_at_ms   INTEGER NOT NULL,
    ip              TEXT NOT NULL, -- of the last refresh
    user_agent      TEXT NOT NULL, -- of the sign-in, cut to a length
    revoked_at_ms   INTEGER,
    revoked_because TEXT CHECK (revoked_because IN ('logout', 'revoked', 'replay', 'displaced')),
    CHECK ((revoked_at_ms IS NULL) = (revoked_because IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_customer ON sessions (customer_id, created_at_ms);

-- Personal API tokens, for scripts. Only their SHA-256 is kept.
CREATE TABLE api_tokens (
    api_token_id    TEXT PRIMARY KEY CHECK (api_token_id GLOB 'tok_*'),
    customer_id     INTEGER NOT NULL REFERENCES customers (customer_id),
    name            TEXT NOT NULL CHECK (name <> ''),
    token_sha256    BLOB NOT NULL UNIQUE CHECK (length(token_sha256) = 32),
    hint            TEXT NOT NULL,
    scopes          TEXT NOT NULL CHECK (scopes <> ''), -- names, separated by blanks
    created_at_ms   INTEGER NOT NULL,
    expires_at_ms   INTEGER NOT NULL,
    last_used_at_ms INTEGER, -- to within some minutes
    revoked_at_ms   INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX api_tokens_of_customer ON api_tokens (customer_id, created_at_ms);

-- A service that a customer has, or had: the states and what leads from one to the other are in
-- core::service_instance. No row is the same as not_provisioned.
CREATE TABLE service_instances (
    customer_id               INTEGER NOT NULL REFERENCES customers (customer_id),
    service                   INTEGER NOT NULL CHECK (service BETWEEN 1 AND 255), -- 1 seal, 2 grpc, 3 graphql
    state                     TEXT NOT NULL
        CHECK (state = 'not_provisioned' OR state = 'disabled' OR state = 'enabled'
            OR state = 'suspended_maintenance' OR state = 'suspended_no_payment' OR state = 'cancellation_pending'),
    tier                      TEXT CHECK (tier = 'starter' OR tier = 'pro' OR tier = 'enterprise'),
    paid_once                 INTEGER NOT NULL CHECK (paid_once IN (0, 1)),
    enabled_before_suspension INTEGER NOT NULL CHECK (enabled_before_suspension IN (0, 1)),
    scheduled_tier            TEXT
        CHECK (scheduled_tier = 'starter' OR scheduled_tier = 'pro' OR scheduled_tier = 'enterprise'),
    scheduled_at_ms           INTEGER, -- when scheduled_tier takes effect
    cancel_at_ms              INTEGER, -- when cancellation_pending begins
    pending_until_ms          INTEGER, -- when the clean-up follows
    cooldown_until_ms         INTEGER, -- from when it can be subscribed to again
    due_at_ms                 INTEGER, -- the earliest instant at which something above is due
    burst                     INTEGER NOT NULL CHECK (burst IN (0, 1)),
    ip_allowlist_enabled      INTEGER NOT NULL CHECK (ip_allowlist_enabled IN (0, 1)),
    ip_allowlist              TEXT NOT NULL, -- addresses and networks, separated by blanks
    billed_through            TEXT CHECK (billed_through GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'), -- the last month billed
    renewed_unpaid            INTEGER NOT NULL DEFAULT 0 CHECK (renewed_unpaid IN (0, 1)), -- never paid for, billed again
    updated_at_ms             INTEGER NOT NULL,
    PRIMARY KEY (customer_id, service),
    CHECK ((state = 'not_provisioned') = (tier IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX service_instances_due ON service_instances (due_at_ms) WHERE due_at_ms IS NOT NULL;

-- API keys. The text of a key is only kept encrypted; a gateway knows its SHA-256.
CREATE TABLE api_keys (
    api_key_id    TEXT PRIMARY KEY CHECK (api_key_id GLOB 'key_*'),
    customer_id   INTEGER NOT NULL REFERENCES customers (customer_id),
    service       INTEGER NOT NULL CHECK (service BETWEEN 1 AND 255),
    name          TEXT NOT NULL CHECK (name <> ''),
    network       INTEGER NOT NULL CHECK (network IN (0, 1)), -- 0 testnet, 1 mainnet
    access        TEXT NOT NULL CHECK (access IN ('open', 'permission')),
    source        TEXT CHECK (source IN ('derived', 'imported')),
    process_group INTEGER NOT NULL CHECK (process_group BETWEEN 0 AND 7),
    fingerprint   INTEGER NOT NULL CHECK (fingerprint BETWEEN 0 AND 4294967295),
    key_sha256    BLOB NOT NULL UNIQUE CHECK (length(key_sha256) = 32),
    hint          TEXT NOT NULL,
    ciphertext    BLOB, -- AES-256-GCM; absent for a key that is shown once only
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    revoked_at_ms INTEGER,
    deleted_at_ms INTEGER,
    rotated_from  TEXT REFERENCES api_keys (api_key_id),
    CHECK ((access = 'open') = (source IS NULL))
) STRICT;

CREATE INDEX api_keys_of_service ON api_keys (customer_id, service, created_at_ms, api_key_id);

-- The last derivation index given out in each process group. Never goes back.
CREATE TABLE seal_derivation (
    process_group INTEGER PRIMARY KEY CHECK (process_group BETWEEN 0 AND 7),
    last_index    INTEGER NOT NULL CHECK (last_index >= 1)
) STRICT;

-- Seal keys, and their registration on the chain: queued and processing are the outbox.
CREATE TABLE seal_keys (
    seal_key_id        TEXT PRIMARY KEY CHECK (seal_key_id GLOB 'sk_*'),
    customer_id        INTEGER NOT NULL REFERENCES customers (customer_id),
    name               TEXT NOT NULL CHECK (name <> ''),
    process_group      INTEGER NOT NULL CHECK (process_group BETWEEN 0 AND 7),
    derivation_index   INTEGER NOT NULL CHECK (derivation_index >= 1),
    enabled            INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created_at_ms      INTEGER NOT NULL,
    deleted_at_ms      INTEGER,
    state              TEXT NOT NULL CHECK (state IN ('queued', 'processing', 'registered')),
    wanted_version     INTEGER NOT NULL CHECK (wanted_version >= 1),
    registered_version INTEGER NOT NULL CHECK (registered_version BETWEEN 0 AND wanted_version), -- 0 = never
    attempts           INTEGER NOT NULL CHECK (attempts >= 0),
    next_attempt_at_ms INTEGER NOT NULL,
    object_id          TEXT,
    public_key         TEXT,
    last_error         TEXT,
    UNIQUE (process_group, derivation_index)
) STRICT;

CREATE INDEX seal_keys_of_customer ON seal_keys (customer_id, created_at_ms, seal_key_id);
CREATE INDEX seal_keys_outbox ON seal_keys (next_attempt_at_ms) WHERE state <> 'registered';

CREATE TABLE seal_packages (
    seal_package_id TEXT PRIMARY KEY CHECK (seal_package_id GLOB 'pkg_*'),
    seal_key_id     TEXT NOT NULL REFERENCES seal_keys (seal_key_id),
    address         TEXT NOT NULL CHECK (length(address) = 66 AND address GLOB '0x*'),
    name            TEXT NOT NULL CHECK (name <> ''),
    created_at_ms   INTEGER NOT NULL,
    UNIQUE (seal_key_id, address)
) STRICT;

-- Everything that was done to an account, for good. Each row's hash covers its columns and the hash before it.
CREATE TABLE activity (
    activity_id   INTEGER PRIMARY KEY CHECK (activity_id >= 1), -- without gaps
    customer_id   INTEGER, -- none: the operator's own doing
    at_ms         INTEGER NOT NULL,
    actor         TEXT NOT NULL CHECK (actor <> ''), -- wallet, ses_…, tok_…, operator, system
    ip            TEXT NOT NULL,
    action        TEXT NOT NULL CHECK (action <> ''),
    subject       TEXT NOT NULL, -- what it was done to
    details       TEXT NOT NULL, -- a JSON object
    previous_hash BLOB NOT NULL CHECK (length(previous_hash) = 32),
    hash          BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX activity_of_customer ON activity (customer_id, activity_id);

CREATE TRIGGER activity_no_update BEFORE UPDATE ON activity
BEGIN SELECT RAISE(ABORT, 'the activity log is append-only'); END;

CREATE TRIGGER activity_no_delete BEFORE DELETE ON activity
BEGIN SELECT RAISE(ABORT, 'the activity log is append-only'); END;

-- Answers to requests that carried an Idempotency-Key, kept for a day. Encrypted: an answer can hold a new key.
CREATE TABLE idempotency_keys (
    customer_id     INTEGER NOT NULL REFERENCES customers (customer_id),
    idempotency_key TEXT NOT NULL CHECK (idempotency_key <> ''),
    request_sha256  BLOB NOT NULL CHECK (length(request_sha256) = 32),
    answer          BLOB NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (customer_id, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at_ms);

-- Every change of config_global. The number of the newest one tells a running process whether to load it again.
CREATE TABLE config_changes (
    config_change_id INTEGER PRIMARY KEY,
    at_ms            INTEGER NOT NULL,
    key              TEXT NOT NULL,
    old_value        TEXT NOT NULL,
    new_value        TEXT NOT NULL
) STRICT;

-- Invoices begin as drafts, so that what is issued has been checked: its lines sum to its amount, and its number is
-- the next one. From then on it stays what it is; only credits come and go while it is unpaid.
CREATE TRIGGER invoices_begin_as_drafts BEFORE INSERT ON invoices WHEN NEW.state <> 'draft'
BEGIN SELECT RAISE(ABORT, 'an invoice begins as a draft'); END;

CREATE TRIGGER invoices_issue BEFORE UPDATE ON invoices WHEN OLD.state = 'draft' AND NEW.state <> 'draft'
BEGIN
    SELECT RAISE(ABORT, 'invoices are numbered without gaps')
    WHERE NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM invoices);
END;

CREATE TRIGGER invoices_add_up BEFORE UPDATE ON invoices
WHEN NEW.state <> 'draft' AND (NEW.state <> OLD.state OR NEW.amount_micros <> OLD.amount_micros)
BEGIN
    SELECT RAISE(ABORT, 'the lines of an invoice sum to its amount')
    WHERE NEW.amount_micros <> (SELECT coalesce(sum(amount_micros), 0) FROM invoice_lines
                                WHERE invoice_id = NEW.invoice_id);
END;

CREATE TRIGGER invoices_stay BEFORE UPDATE ON invoices
WHEN OLD.state <> 'draft' AND (NEW.state = 'draft'
    OR (OLD.state IN ('paid', 'voided') AND (NEW.state, NEW.amount_micros) IS NOT (OLD.state, OLD.amount_micros))
    OR (NEW.invoice_id, NEW.customer_id, NEW.month, NEW.purpose, NEW.service, NEW.to_tier, NEW.number, NEW.issued_at_ms)
    IS NOT (OLD.invoice_id, OLD.customer_id, OLD.month, OLD.purpose, OLD.service, OLD.to_tier, OLD.number,
        OLD.issued_at_ms))
BEGIN SELECT RAISE(ABORT, 'an issued invoice does not change'); END;

CREATE TRIGGER invoices_no_delete BEFORE DELETE ON invoices WHEN OLD.state <> 'draft'
BEGIN SELECT RAISE(ABORT, 'an issued invoice is not deleted'); END;

CREATE TRIGGER invoice_lines_no_insert BEFORE INSERT ON invoice_lines
WHEN EXISTS (SELECT 1 FROM invoices WHERE invoice_id = NEW.invoice_id AND (state IN ('paid', 'voided')
    OR (state <> 'draft' AND NEW.kind <> 'credit')))
BEGIN SELECT RAISE(ABORT, 'an issued invoice gets no more lines'); END;

CREATE TRIGGER invoice_lines_no_update BEFORE UPDATE ON invoice_lines
WHEN EXISTS (SELECT 1 FROM invoices WHERE invoice_id IN (OLD.invoice_id, NEW.invoice_id) AND state <> 'draft')
BEGIN SELECT RAISE(ABORT, 'lines of an issued invoice do not change'); END;

CREATE TRIGGER invoice_lines_no_delete BEFORE DELETE ON invoice_lines
WHEN EXISTS (SELECT 1 FROM invoices WHERE invoice_id = OLD.invoice_id AND (state IN ('paid', 'voided')
    OR (state <> 'draft' AND OLD.kind <> 'credit')))
BEGIN SELECT RAISE(ABORT, 'lines of an issued invoice are not deleted'); END;

-- What a customer need not pay, by grant. What is left is the balance of the account credit:<credit_id>, too; the
-- verifier compares them.
CREATE TABLE credits (
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

CREATE INDEX credits_of_customer ON credits (customer_id, credit_id);

CREATE TRIGGER credits_stay BEFORE UPDATE ON credits
WHEN (NEW.credit_id, NEW.customer_id, NEW.reason, NEW.granted_micros, NEW.granted_at_ms, NEW.expires_at_ms,
        NEW.invoice_id)
    IS NOT (OLD.credit_id, OLD.customer_id, OLD.reason, OLD.granted_micros, OLD.granted_at_ms, OLD.expires_at_ms,
        OLD.invoice_id)
BEGIN SELECT RAISE(ABORT, 'only what is left of a credit changes'); END;

CREATE TRIGGER credits_no_delete BEFORE DELETE ON credits
BEGIN SELECT RAISE(ABORT, 'credits are not deleted'); END;

-- What was taken off an invoice after it was issued. The number is printed, and has no gaps.
CREATE TABLE credit_notes (
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

CREATE INDEX credit_notes_of_invoice ON credit_notes (invoice_id);

CREATE TRIGGER credit_notes_issue BEFORE INSERT ON credit_notes
WHEN NEW.credit_note_id <> (SELECT coalesce(max(credit_note_id), 0) + 1 FROM credit_notes)
BEGIN SELECT RAISE(ABORT, 'credit notes are numbered without gaps'); END;

CREATE TRIGGER credit_notes_stay BEFORE UPDATE ON credit_notes
WHEN OLD.state <> 'sent'
    OR (NEW.credit_note_id, NEW.customer_id, NEW.invoice_id, NEW.amount_micros, NEW.reason, NEW.issued_at_ms)
    IS NOT (OLD.credit_note_id, OLD.customer_id, OLD.invoice_id, OLD.amount_micros, OLD.reason, OLD.issued_at_ms)
BEGIN SELECT RAISE(ABORT, 'a credit note does not change'); END;

CREATE TRIGGER credit_notes_no_delete BEFORE DELETE ON credit_notes
BEGIN SELECT RAISE(ABORT, 'a credit note is not deleted'); END;

-- The books: double entry, append-only. An entry's postings are written first; the entry, which may only be the next
-- one, seals them: it is refused unless they sum to zero in each currency. Postings without their entry cannot be
-- committed, because the foreign key is checked at the end of the transaction, and a sealed entry gets no more.
CREATE TABLE ledger_entries (
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

CREATE INDEX ledger_entries_of_customer ON ledger_entries (customer_id, entry_id);
CREATE INDEX ledger_entries_of_invoice ON ledger_entries (invoice_id, entry_id)
WHERE invoice_id IS NOT NULL;

CREATE TABLE ledger_postings (
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
CREATE INDEX ledger_postings_by_account
ON ledger_postings (customer_id, account, sub_account, currency, at_ms, amount_micros);

CREATE TRIGGER ledger_entries_seal BEFORE INSERT ON ledger_entries
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

CREATE TRIGGER ledger_postings_before_entry BEFORE INSERT ON ledger_postings
WHEN NEW.entry_id <> (SELECT coalesce(max(entry_id), 0) + 1 FROM ledger_entries)
BEGIN SELECT RAISE(ABORT, 'postings are for the next entry'); END;

CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;

CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;

CREATE TRIGGER ledger_postings_no_update BEFORE UPDATE ON ledger_postings
BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;

CREATE TRIGGER ledger_postings_no_delete BEFORE DELETE ON ledger_postings
BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;

-- Customers whose books do not add up, or differ from the chain: nothing is charged until a person has looked.
CREATE TABLE parked_customers (
    customer_id INTEGER PRIMARY KEY REFERENCES customers (customer_id),
    reason      TEXT NOT NULL CHECK (reason <> ''),
    since_ms    INTEGER NOT NULL
) STRICT;

-- How a customer pays, in the customer's order.
CREATE TABLE payment_methods (
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    position    INTEGER NOT NULL CHECK (position >= 0),
    method      TEXT NOT NULL CHECK (method IN ('escrow')),
    PRIMARY KEY (customer_id, position),
    UNIQUE (customer_id, method)
) STRICT, WITHOUT ROWID;

-- The outbox of payments. What is sent is sent again, with the same key, until there is an answer. An answer is final,
-- with one exception: a demand that was declined and whose money came after all has succeeded.
CREATE TABLE charges (
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
CREATE UNIQUE INDEX charges_once ON charges (invoice_id) WHERE direction = 'charge' AND state = 'sent';
CREATE INDEX charges_outbox ON charges (send_at_ms, charge_id) WHERE state = 'sent';
CREATE INDEX charges_of_customer ON charges (customer_id, charge_id);

CREATE TRIGGER charges_begin_sent BEFORE INSERT ON charges WHEN NEW.state <> 'sent'
BEGIN SELECT RAISE(ABORT, 'a charge begins without an answer'); END;

CREATE TRIGGER charges_ask_for_what_is_owed BEFORE INSERT ON charges
WHEN NEW.direction = 'charge' AND NOT EXISTS (SELECT 1 FROM invoices WHERE invoice_id = NEW.invoice_id
    AND customer_id = NEW.customer_id AND state = 'pending' AND amount_micros = NEW.amount_micros)
BEGIN SELECT RAISE(ABORT, 'a charge is what its invoice demands'); END;

CREATE TRIGGER charges_stay BEFORE UPDATE ON charges
WHEN (OLD.state <> 'sent' AND (OLD.direction, OLD.state, NEW.state, NEW.reason)
        IS NOT ('charge', 'declined', 'succeeded', OLD.reason))
    OR (OLD.state = 'sent' AND NEW.state = 'succeeded' AND NEW.reason IS NOT NULL)
    OR (NEW.charge_id, NEW.idempotency_key, NEW.customer_id, NEW.invoice_id, NEW.direction, NEW.attempt, NEW.method,
        NEW.amount_micros)
    IS NOT (OLD.charge_id, OLD.idempotency_key, OLD.customer_id, OLD.invoice_id, OLD.direction, OLD.attempt,
        OLD.method, OLD.amount_micros)
BEGIN SELECT RAISE(ABORT, 'what is charged, and the answer, do not change'); END;

CREATE TRIGGER charges_no_delete BEFORE DELETE ON charges
BEGIN SELECT RAISE(ABORT, 'charges are not deleted'); END;

-- Escrow accounts as the chain showed them last.
CREATE TABLE escrow_accounts (
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
CREATE TABLE wallet_transactions (
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

CREATE INDEX wallet_transactions_of_customer ON wallet_transactions (customer_id, built_at_ms, digest);
CREATE INDEX wallet_transactions_open ON wallet_transactions (digest, state, expires_at_ms)
WHERE state IN ('built', 'signed', 'seen', 'final');

-- Events of the chain as they were told, each once. One is taken into the books when its wallet is a customer's.
CREATE TABLE chain_events (
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

CREATE INDEX chain_events_of_customer ON chain_events (customer_id, at_ms) WHERE customer_id IS NOT NULL;
CREATE INDEX chain_events_to_take ON chain_events (at_ms, rank, chain_event_id)
WHERE try_at_ms IS NOT NULL;
CREATE INDEX chain_events_waiting ON chain_events (owner) WHERE taken_at_ms IS NULL;

-- What tells this ledger's orders on the chain from those of another one.
CREATE TABLE ledger_identity (
    only_one  INTEGER PRIMARY KEY CHECK (only_one = 1),
    ledger_id TEXT NOT NULL CHECK (length(ledger_id) = 16 AND ledger_id NOT GLOB '*[^0-9a-f]*')
) STRICT;

CREATE TRIGGER ledger_identity_no_update BEFORE UPDATE ON ledger_identity
BEGIN SELECT RAISE(ABORT, 'a ledger keeps its identity'); END;

CREATE TRIGGER ledger_identity_no_delete BEFORE DELETE ON ledger_identity
BEGIN SELECT RAISE(ABORT, 'a ledger keeps its identity'); END;

-- Until when the ledger was in use: what the machine's clock is held against at the next start.
CREATE TABLE clock_mark (
    only_one     INTEGER PRIMARY KEY CHECK (only_one = 1),
    in_use_at_ms INTEGER NOT NULL
) STRICT;

-- Up to where the events of each chain have been read.
CREATE TABLE chain_cursor (
    chain         TEXT PRIMARY KEY CHECK (chain <> ''),
    position      TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Months that could not be closed for a customer. No row: nothing has failed.
CREATE TABLE unclosed_months (
    customer_id   INTEGER NOT NULL REFERENCES customers (customer_id),
    month         TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'),
    failures      INTEGER NOT NULL CHECK (failures >= 1), -- in a row
    error         TEXT NOT NULL,                          -- of the last one
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (customer_id, month)
) STRICT, WITHOUT ROWID;

-- What usage may cost in a month at most, as the customer wants it, and what has been said of it.
CREATE TABLE spend_caps (
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
CREATE TABLE dunning (
    customer_id INTEGER PRIMARY KEY REFERENCES customers (customer_id),
    since_ms    INTEGER NOT NULL, -- the first failure that grace counts from
    notices     INTEGER NOT NULL CHECK (notices >= 0),
    suspended   INTEGER NOT NULL CHECK (suspended IN (0, 1))
) STRICT;

-- What customers were told, each once.
CREATE TABLE billing_notices (
    billing_notice_id INTEGER PRIMARY KEY,
    customer_id       INTEGER NOT NULL REFERENCES customers (customer_id),
    notice_key        TEXT NOT NULL CHECK (notice_key <> ''),
    kind              TEXT NOT NULL CHECK (kind <> '' AND kind NOT GLOB '*[^a-z_]*'),
    details           TEXT NOT NULL, -- a JSON object
    at_ms             INTEGER NOT NULL,
    read_at_ms        INTEGER,
    UNIQUE (customer_id, notice_key)
) STRICT;

CREATE INDEX billing_notices_of_customer ON billing_notices (customer_id, billing_notice_id);

-- How far billing is with each customer. A row from the first decision on.
CREATE TABLE billing_standing (
    customer_id INTEGER PRIMARY KEY REFERENCES customers (customer_id),
    month       TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'), -- whose beginning was carried out
    draft_month TEXT NOT NULL CHECK (draft_month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'), -- to be closed next
    has_paid    INTEGER NOT NULL CHECK (has_paid IN (0, 1)), -- whether an invoice was ever paid
    next_due_ms INTEGER -- when time brings something about next
) STRICT;

CREATE INDEX billing_standing_due ON billing_standing (next_due_ms) WHERE next_due_ms IS NOT NULL;
CREATE INDEX billing_standing_to_close ON billing_standing (draft_month, customer_id);

-- What was billed of usage, corrections taken off: one row for each stretch of time with one price.
CREATE TABLE billed_usage (
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
CREATE TABLE late_usage (
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    month       TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'),
    PRIMARY KEY (customer_id, month)
) STRICT, WITHOUT ROWID;

-- Customers whose drafts do not show all usage yet, as they wait. More news of a customer do not cost the place.
CREATE TABLE stale_drafts (
    place       INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id INTEGER NOT NULL UNIQUE,
    news        INTEGER NOT NULL DEFAULT 1 -- how much has been heard of the customer in this place
) STRICT;

-- Which customers' part of the vaults has changed, by numbers that only grow. The triggers below see every change,
-- whoever makes it; a row is the last change of its customer and service.
CREATE TABLE vault_changes (
    change      INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id INTEGER NOT NULL CHECK (customer_id BETWEEN 0 AND 4294967295), -- 0: everybody
    service     INTEGER NOT NULL CHECK (service BETWEEN 0 AND 255),            -- 0: all
    UNIQUE (customer_id, service)
) STRICT;

CREATE TRIGGER vault_service_added AFTER INSERT ON service_instances
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = NEW.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, NEW.service);
END;

CREATE TRIGGER vault_service_changed AFTER UPDATE ON service_instances
WHEN (NEW.state, NEW.tier, NEW.burst, NEW.ip_allowlist_enabled, NEW.ip_allowlist)
    IS NOT (OLD.state, OLD.tier, OLD.burst, OLD.ip_allowlist_enabled, OLD.ip_allowlist)
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = NEW.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, NEW.service);
END;

CREATE TRIGGER vault_service_removed AFTER DELETE ON service_instances
BEGIN
    DELETE FROM vault_changes WHERE customer_id = OLD.customer_id AND service = OLD.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (OLD.customer_id, OLD.service);
END;

CREATE TRIGGER vault_key_added AFTER INSERT ON api_keys
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = NEW.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, NEW.service);
END;

CREATE TRIGGER vault_key_changed AFTER UPDATE ON api_keys
WHEN (NEW.expires_at_ms, NEW.revoked_at_ms, NEW.deleted_at_ms, NEW.network, NEW.fingerprint, NEW.key_sha256)
    IS NOT (OLD.expires_at_ms, OLD.revoked_at_ms, OLD.deleted_at_ms, OLD.network, OLD.fingerprint, OLD.key_sha256)
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = NEW.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, NEW.service);
END;

CREATE TRIGGER vault_key_removed AFTER DELETE ON api_keys
BEGIN
    DELETE FROM vault_changes WHERE customer_id = OLD.customer_id AND service = OLD.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (OLD.customer_id, OLD.service);
END;

CREATE TRIGGER vault_customer_changed AFTER UPDATE ON customers WHEN NEW.status <> OLD.status
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, 0);
END;

CREATE TRIGGER vault_stop_added AFTER INSERT ON spend_caps WHEN NEW.stopped = 1
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, 0);
END;

CREATE TRIGGER vault_stop_changed AFTER UPDATE ON spend_caps
WHEN NEW.stopped <> OLD.stopped OR (NEW.stopped = 1 AND NEW.month <> OLD.month)
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, 0);
END;

CREATE TRIGGER vault_stop_removed AFTER DELETE ON spend_caps WHEN OLD.stopped = 1
BEGIN
    DELETE FROM vault_changes WHERE customer_id = OLD.customer_id AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (OLD.customer_id, 0);
END;

CREATE TRIGGER vault_seal_key_added AFTER INSERT ON seal_keys
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = 1;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, 1);
END;

CREATE TRIGGER vault_seal_key_changed AFTER UPDATE ON seal_keys
WHEN (NEW.enabled, NEW.deleted_at_ms, NEW.object_id) IS NOT (OLD.enabled, OLD.deleted_at_ms, OLD.object_id)
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = 1;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, 1);
END;

CREATE TRIGGER vault_package_added AFTER INSERT ON seal_packages
BEGIN
    DELETE FROM vault_changes WHERE service = 1
        AND customer_id = (SELECT customer_id FROM seal_keys WHERE seal_key_id = NEW.seal_key_id);
    INSERT INTO vault_changes (customer_id, service)
    SELECT customer_id, 1 FROM seal_keys WHERE seal_key_id = NEW.seal_key_id;
END;

CREATE TRIGGER vault_package_changed AFTER UPDATE ON seal_packages WHEN NEW.address <> OLD.address
BEGIN
    DELETE FROM vault_changes WHERE service = 1
        AND customer_id = (SELECT customer_id FROM seal_keys WHERE seal_key_id = NEW.seal_key_id);
    INSERT INTO vault_changes (customer_id, service)
    SELECT customer_id, 1 FROM seal_keys WHERE seal_key_id = NEW.seal_key_id;
END;

CREATE TRIGGER vault_package_removed AFTER DELETE ON seal_packages
BEGIN
    DELETE FROM vault_changes WHERE service = 1
        AND customer_id = (SELECT customer_id FROM seal_keys WHERE seal_key_id = OLD.seal_key_id);
    INSERT INTO vault_changes (customer_id, service)
    SELECT customer_id, 1 FROM seal_keys WHERE seal_key_id = OLD.seal_key_id;
END;

CREATE TRIGGER vault_limit_added AFTER INSERT ON config_global WHEN NEW.key GLOB 'b?lim_*'
BEGIN
    DELETE FROM vault_changes WHERE customer_id = 0 AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (0, 0);
END;

CREATE TRIGGER vault_limit_changed AFTER UPDATE ON config_global
WHEN NEW.key GLOB 'b?lim_*' AND NEW.value <> OLD.value
BEGIN
    DELETE FROM vault_changes WHERE customer_id = 0 AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (0, 0);
END;

-- Versions of vaults, noted when their files are there. The files are what counts.
CREATE TABLE vault_versions (
    code           TEXT NOT NULL CHECK (code IN ('sma', 'sta', 'rma', 'rta', 'gma', 'gta', 'smk', 'stk')),
    sequence       INTEGER NOT NULL CHECK (sequence BETWEEN 1 AND 999999999),
    vault_hash     BLOB NOT NULL CHECK (length(vault_hash) = 32),
    previous_hash  BLOB NOT NULL CHECK (length(previous_hash) = 32), -- zeros for the first
    content_sha256 BLOB NOT NULL CHECK (length(content_sha256) = 32),
    entries        INTEGER NOT NULL CHECK (entries >= 0), -- customers in it
    change         INTEGER NOT NULL CHECK (change >= 0),  -- the last one that was in it when it was noted
    created_at_ms  INTEGER NOT NULL,
    PRIMARY KEY (code, sequence)
) STRICT, WITHOUT ROWID;

-- What a vault is made from, in the order in which it is needed.
CREATE INDEX api_keys_in_force ON api_keys
    (customer_id, service, network, key_sha256, fingerprint, expires_at_ms, revoked_at_ms, deleted_at_ms)
WHERE revoked_at_ms IS NULL AND deleted_at_ms IS NULL;
CREATE INDEX customers_not_active ON customers (customer_id, status) WHERE status <> 'active';
CREATE INDEX spend_caps_stopped ON spend_caps (customer_id, month) WHERE stopped = 1;

-- Gateways as they were when that was noted last: after a restart it is known at once what each one has in force.
CREATE TABLE gateways (
    gateway         INTEGER PRIMARY KEY CHECK (gateway BETWEEN 1 AND 255),
    state           TEXT NOT NULL CHECK (state IN ('ok', 'behind', 'haproxy_down', 'unreachable', 'never_seen')),
    since_ms        INTEGER NOT NULL,
    heard_at_ms     INTEGER,      -- when its agent answered last
    silent_since_ms INTEGER,      -- since when it does not
    standing        TEXT NOT NULL -- a JSON object: what it said, and since when what is wrong
) STRICT;

-- What operators must hear of. What has a key is one row until it is over and acknowledged.
CREATE TABLE notifications (
    notification_id    INTEGER PRIMARY KEY AUTOINCREMENT,
    notification_key   TEXT NOT NULL CHECK (notification_key <> ''),
    code               TEXT NOT NULL CHECK (code <> '' AND code NOT GLOB '*[^a-z_]*'),
    category           TEXT NOT NULL CHECK (category <> '' AND category NOT GLOB '*[^a-z_]*'),
    severity           TEXT NOT NULL CHECK (severity IN ('error', 'warning')),
    text               TEXT NOT NULL,
    first_at_ms        INTEGER NOT NULL, -- when it began
    last_at_ms         INTEGER NOT NULL, -- when it began last
    openings           INTEGER NOT NULL CHECK (openings >= 1),
    cleared_at_ms      INTEGER,          -- when it was over; none while it is so
    acknowledged_at_ms INTEGER
) STRICT;

CREATE UNIQUE INDEX notifications_not_done ON notifications (notification_key)
WHERE cleared_at_ms IS NULL OR acknowledged_at_ms IS NULL;
