-- The ledger as it is: the whole current schema, for reading. The numbered steps beside it lead here, and a test
-- proves that they do. Money is in micro-dollars, time in milliseconds since 1970 (UTC), both as integers.

-- Who is served. One wallet = one customer.
CREATE TABLE customers (
    customer_id    INTEGER PRIMARY KEY CHECK (customer_id BETWEEN 1 AND 4294967295), -- random, never sequential
    wallet_address TEXT NOT NULL UNIQUE
        CHECK (length(wallet_address) = 66 AND wallet_address GLOB '0x*'
               AND substr(wallet_address, 3) NOT GLOB '*[^0-9a-f]*'),
    name           TEXT NOT NULL DEFAULT '',
    status         TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'closed')),
    created_at_ms  INTEGER NOT NULL
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
    invoice_id    INTEGER PRIMARY KEY,
    customer_id   INTEGER NOT NULL REFERENCES customers (customer_id),
    month         TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]'),
    state         TEXT NOT NULL CHECK (state IN ('draft', 'pending', 'paid', 'failed', 'voided')),
    amount_micros INTEGER NOT NULL CHECK (amount_micros % 10000 = 0), -- sum of the lines' amounts: whole cents
    usage_micros  INTEGER NOT NULL,                                   -- sum of amounts and remainders
    updated_at_ms INTEGER NOT NULL
) STRICT;

-- At most one draft per customer.
CREATE UNIQUE INDEX invoices_one_draft ON invoices (customer_id) WHERE state = 'draft';

CREATE TABLE invoice_lines (
    invoice_id       INTEGER NOT NULL REFERENCES invoices (invoice_id),
    position         INTEGER NOT NULL CHECK (position >= 0),
    kind             TEXT NOT NULL CHECK (kind IN ('requests')),
    service          INTEGER NOT NULL CHECK (service BETWEEN 1 AND 255),
    quantity         INTEGER NOT NULL CHECK (quantity > 0),
    price_micros     INTEGER NOT NULL CHECK (price_micros >= 0), -- for every price_per pieces
    price_per        INTEGER NOT NULL CHECK (price_per > 0),
    amount_micros    INTEGER NOT NULL CHECK (amount_micros % 10000 = 0),          -- charged
    remainder_micros INTEGER NOT NULL CHECK (remainder_micros BETWEEN 0 AND 9999), -- rounded off, not charged
    PRIMARY KEY (invoice_id, position)
) STRICT, WITHOUT ROWID;
