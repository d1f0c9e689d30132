-- Step 2: accounts. Who signs in and how, what they have, and everything that they did.

-- Accounts: which terms were accepted.
ALTER TABLE customers ADD COLUMN terms_version INTEGER;
ALTER TABLE customers ADD COLUMN terms_accepted_at_ms INTEGER;

-- A sign-in and what followed from it: one refresh token at a time, of which only the SHA-256 is kept.
CREATE TABLE IF NOT EXISTS sessions (
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

CREATE INDEX IF NOT EXISTS sessions_of_customer ON sessions (customer_id, created_at_ms);

-- Personal API tokens, for scripts. Only their SHA-256 is kept.
CREATE TABLE IF NOT EXISTS api_tokens (
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

CREATE INDEX IF NOT EXISTS api_tokens_of_customer ON api_tokens (customer_id, created_at_ms);

-- A service that a customer has, or had: the states and what leads from one to the other are in
-- core::service_instance. No row is the same as not_provisioned.
CREATE TABLE IF NOT EXISTS service_instances (
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

CREATE INDEX IF NOT EXISTS service_instances_due ON service_instances (due_at_ms) WHERE due_at_ms IS NOT NULL;

-- API keys. The text of a key is only kept encrypted; a gateway knows its SHA-256.
CREATE TABLE IF NOT EXISTS api_keys (
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

CREATE INDEX IF NOT EXISTS api_keys_of_service ON api_keys (customer_id, service, created_at_ms, api_key_id);

-- The last derivation index given out in each process group. Never goes back.
CREATE TABLE IF NOT EXISTS seal_derivation (
    process_group INTEGER PRIMARY KEY CHECK (process_group BETWEEN 0 AND 7),
    last_index    INTEGER NOT NULL CHECK (last_index >= 1)
) STRICT;

-- Seal keys, and their registration on the chain: queued and processing are the outbox.
CREATE TABLE IF NOT EXISTS seal_keys (
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

CREATE INDEX IF NOT EXISTS seal_keys_of_customer ON seal_keys (customer_id, created_at_ms, seal_key_id);
CREATE INDEX IF NOT EXISTS seal_keys_outbox ON seal_keys (next_attempt_at_ms) WHERE state <> 'registered';

CREATE TABLE IF NOT EXISTS seal_packages (
    seal_package_id TEXT PRIMARY KEY CHECK (seal_package_id GLOB 'pkg_*'),
    seal_key_id     TEXT NOT NULL REFERENCES seal_keys (seal_key_id),
    address         TEXT NOT NULL CHECK (length(address) = 66 AND address GLOB '0x*'),
    name            TEXT NOT NULL CHECK (name <> ''),
    created_at_ms   INTEGER NOT NULL,
    UNIQUE (seal_key_id, address)
) STRICT;

-- Everything that was done to an account, for good. Each row's hash covers its columns and the hash before it.
CREATE TABLE IF NOT EXISTS activity (
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

CREATE INDEX IF NOT EXISTS activity_of_customer ON activity (customer_id, activity_id);

CREATE TRIGGER IF NOT EXISTS activity_no_update BEFORE UPDATE ON activity
BEGIN SELECT RAISE(ABORT, 'the activity log is append-only'); END;

CREATE TRIGGER IF NOT EXISTS activity_no_delete BEFORE DELETE ON activity
BEGIN SELECT RAISE(ABORT, 'the activity log is append-only'); END;

-- Answers to requests that carried an Idempotency-Key, kept for a day. Encrypted: an answer can hold a new key.
CREATE TABLE IF NOT EXISTS idempotency_keys (
    customer_id     INTEGER NOT NULL REFERENCES customers (customer_id),
    idempotency_key TEXT NOT NULL CHECK (idempotency_key <> ''),
    request_sha256  BLOB NOT NULL CHECK (length(request_sha256) = 32),
    answer          BLOB NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (customer_id, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON idempotency_keys (created_at_ms);

-- Every change of config_global. The number of the newest one tells a running process whether to load it again.
CREATE TABLE IF NOT EXISTS config_changes (
    config_change_id INTEGER PRIMARY KEY,
    at_ms            INTEGER NOT NULL,
    key              TEXT NOT NULL,
    old_value        TEXT NOT NULL,
    new_value        TEXT NOT NULL
) STRICT;
