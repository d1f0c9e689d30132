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
    created_at_ms  INTEGER NOT NULL,
    escrow_contract_id    TEXT,    -- the account object on the chain; set once
    terms_version         INTEGER, -- of the terms that were accepted last
    terms_accepted_at_ms  INTEGER,
    spending_limit_micros INTEGER NOT NULL DEFAULT 250000000, -- copies of what the chain says
    balance_micros        INTEGER NOT NULL DEFAULT 0
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
    state                     TEXT NOT NULL CHECK (state IN ('not_provisioned', 'disabled', 'enabled',
                                  'suspended_maintenance', 'suspended_no_payment', 'cancellation_pending')),
    tier                      TEXT CHECK (tier IN ('starter', 'pro', 'enterprise')),
    paid_once                 INTEGER NOT NULL CHECK (paid_once IN (0, 1)),
    enabled_before_suspension INTEGER NOT NULL CHECK (enabled_before_suspension IN (0, 1)),
    scheduled_tier            TEXT CHECK (scheduled_tier IN ('starter', 'pro', 'enterprise')),
    scheduled_at_ms           INTEGER, -- when scheduled_tier takes effect
    cancel_at_ms              INTEGER, -- when cancellation_pending begins
    pending_until_ms          INTEGER, -- when the clean-up follows
    cooldown_until_ms         INTEGER, -- from when it can be subscribed to again
    due_at_ms                 INTEGER, -- the earliest instant at which something above is due
    burst                     INTEGER NOT NULL CHECK (burst IN (0, 1)),
    ip_allowlist_enabled      INTEGER NOT NULL CHECK (ip_allowlist_enabled IN (0, 1)),
    ip_allowlist              TEXT NOT NULL, -- addresses and networks, separated by blanks
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
