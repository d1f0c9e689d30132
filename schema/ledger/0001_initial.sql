-- Step 1: customers, prices and limits, usage, draft invoices.
-- Every statement of a step is guarded, so that applying a step again changes nothing.

-- Who is served. One wallet = one customer.
CREATE TABLE IF NOT EXISTS customers (
    customer_id    INTEGER PRIMARY KEY CHECK (customer_id BETWEEN 1 AND 4294967295), -- random, never sequential
    wallet_address TEXT NOT NULL UNIQUE
        CHECK (length(wallet_address) = 66 AND wallet_address GLOB '0x*'
               AND substr(wallet_address, 3) NOT GLOB '*[^0-9a-f]*'),
    name           TEXT NOT NULL DEFAULT '',
    status         TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'closed')),
    created_at_ms  INTEGER NOT NULL
) STRICT;

-- Prices and limits; which keys there are and what they may be is said in core::config_global.
CREATE TABLE IF NOT EXISTS config_global (
    key   TEXT PRIMARY KEY CHECK (key <> ''),
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A copy of what the traffic store has counted, set and never added to. A line that names a customer whom nobody
-- knows is counted too, so customer_id is deliberately no foreign key.
CREATE TABLE IF NOT EXISTS usage_records (
    customer_id       INTEGER NOT NULL CHECK (customer_id BETWEEN 1 AND 4294967295),
    service           INTEGER NOT NULL CHECK (service BETWEEN 1 AND 255), -- 1 seal, 2 grpc, 3 graphql
    hour_ms           INTEGER NOT NULL CHECK (hour_ms % 3600000 = 0),     -- first millisecond of the hour, UTC
    requests          INTEGER NOT NULL CHECK (requests >= 0),
    billable_requests INTEGER NOT NULL CHECK (billable_requests BETWEEN 0 AND requests),
    billable_bytes    INTEGER NOT NULL CHECK (billable_bytes >= 0),
    PRIMARY KEY (customer_id, service, hour_ms)
) STRICT, WITHOUT ROWID;

-- How far usage_records follows each traffic store: the last batch whose hours have been copied.
CREATE TABLE IF NOT EXISTS metering_position (
    traffic_store TEXT PRIMARY KEY CHECK (traffic_store <> ''),
    batch         INTEGER NOT NULL CHECK (batch >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS invoices (
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
CREATE UNIQUE INDEX IF NOT EXISTS invoices_one_draft ON invoices (customer_id)
WHERE state = 'draft' AND purpose = 'monthly';
CREATE UNIQUE INDEX IF NOT EXISTS invoices_one_a_month ON invoices (customer_id, month)
WHERE purpose = 'monthly' AND (state = 'pending' OR state = 'paid' OR state = 'failed');
CREATE INDEX IF NOT EXISTS invoices_of_customer ON invoices (customer_id, invoice_id);

CREATE TABLE IF NOT EXISTS invoice_lines (
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
