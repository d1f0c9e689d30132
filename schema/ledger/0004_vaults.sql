-- Step 4: vaults. What of customers' doing is in them, which versions there were, and which gateways have them in force.

-- Which customers' part of the vaults has changed, by numbers that only grow. The triggers below see every change,
-- whoever makes it; a row is the last change of its customer and service.
CREATE TABLE IF NOT EXISTS vault_changes (
    change      INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id INTEGER NOT NULL CHECK (customer_id BETWEEN 0 AND 4294967295), -- 0: everybody
    service     INTEGER NOT NULL CHECK (service BETWEEN 0 AND 255),            -- 0: all
    UNIQUE (customer_id, service)
) STRICT;

CREATE TRIGGER IF NOT EXISTS vault_service_added AFTER INSERT ON service_instances
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = NEW.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, NEW.service);
END;

CREATE TRIGGER IF NOT EXISTS vault_service_changed AFTER UPDATE ON service_instances
WHEN (NEW.state, NEW.tier, NEW.burst, NEW.ip_allowlist_enabled, NEW.ip_allowlist)
    IS NOT (OLD.state, OLD.tier, OLD.burst, OLD.ip_allowlist_enabled, OLD.ip_allowlist)
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = NEW.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, NEW.service);
END;

CREATE TRIGGER IF NOT EXISTS vault_service_removed AFTER DELETE ON service_instances
BEGIN
    DELETE FROM vault_changes WHERE customer_id = OLD.customer_id AND service = OLD.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (OLD.customer_id, OLD.service);
END;

CREATE TRIGGER IF NOT EXISTS vault_key_added AFTER INSERT ON api_keys
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = NEW.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, NEW.service);
END;

CREATE TRIGGER IF NOT EXISTS vault_key_changed AFTER UPDATE ON api_keys
WHEN (NEW.expires_at_ms, NEW.revoked_at_ms, NEW.deleted_at_ms, NEW.network, NEW.fingerprint, NEW.key_sha256)
    IS NOT (OLD.expires_at_ms, OLD.revoked_at_ms, OLD.deleted_at_ms, OLD.network, OLD.fingerprint, OLD.key_sha256)
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = NEW.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, NEW.service);
END;

CREATE TRIGGER IF NOT EXISTS vault_key_removed AFTER DELETE ON api_keys
BEGIN
    DELETE FROM vault_changes WHERE customer_id = OLD.customer_id AND service = OLD.service;
    INSERT INTO vault_changes (customer_id, service) VALUES (OLD.customer_id, OLD.service);
END;

CREATE TRIGGER IF NOT EXISTS vault_customer_changed AFTER UPDATE ON customers WHEN NEW.status <> OLD.status
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, 0);
END;

CREATE TRIGGER IF NOT EXISTS vault_stop_added AFTER INSERT ON spend_caps WHEN NEW.stopped = 1
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, 0);
END;

CREATE TRIGGER IF NOT EXISTS vault_stop_changed AFTER UPDATE ON spend_caps
WHEN NEW.stopped <> OLD.stopped OR (NEW.stopped = 1 AND NEW.month <> OLD.month)
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, 0);
END;

CREATE TRIGGER IF NOT EXISTS vault_stop_removed AFTER DELETE ON spend_caps WHEN OLD.stopped = 1
BEGIN
    DELETE FROM vault_changes WHERE customer_id = OLD.customer_id AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (OLD.customer_id, 0);
END;

CREATE TRIGGER IF NOT EXISTS vault_seal_key_added AFTER INSERT ON seal_keys
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = 1;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, 1);
END;

CREATE TRIGGER IF NOT EXISTS vault_seal_key_changed AFTER UPDATE ON seal_keys
WHEN (NEW.enabled, NEW.deleted_at_ms, NEW.object_id) IS NOT (OLD.enabled, OLD.deleted_at_ms, OLD.object_id)
BEGIN
    DELETE FROM vault_changes WHERE customer_id = NEW.customer_id AND service = 1;
    INSERT INTO vault_changes (customer_id, service) VALUES (NEW.customer_id, 1);
END;

CREATE TRIGGER IF NOT EXISTS vault_package_added AFTER INSERT ON seal_packages
BEGIN
    DELETE FROM vault_changes WHERE service = 1
        AND customer_id = (SELECT customer_id FROM seal_keys WHERE seal_key_id = NEW.seal_key_id);
    INSERT INTO vault_changes (customer_id, service)
    SELECT customer_id, 1 FROM seal_keys WHERE seal_key_id = NEW.seal_key_id;
END;

CREATE TRIGGER IF NOT EXISTS vault_package_changed AFTER UPDATE ON seal_packages WHEN NEW.address <> OLD.address
BEGIN
    DELETE FROM vault_changes WHERE service = 1
        AND customer_id = (SELECT customer_id FROM seal_keys WHERE seal_key_id = NEW.seal_key_id);
    INSERT INTO vault_changes (customer_id, service)
    SELECT customer_id, 1 FROM seal_keys WHERE seal_key_id = NEW.seal_key_id;
END;

CREATE TRIGGER IF NOT EXISTS vault_package_removed AFTER DELETE ON seal_packages
BEGIN
    DELETE FROM vault_changes WHERE service = 1
        AND customer_id = (SELECT customer_id FROM seal_keys WHERE seal_key_id = OLD.seal_key_id);
    INSERT INTO vault_changes (customer_id, service)
    SELECT customer_id, 1 FROM seal_keys WHERE seal_key_id = OLD.seal_key_id;
END;

CREATE TRIGGER IF NOT EXISTS vault_limit_added AFTER INSERT ON config_global WHEN NEW.key GLOB 'b?lim_*'
BEGIN
    DELETE FROM vault_changes WHERE customer_id = 0 AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (0, 0);
END;

CREATE TRIGGER IF NOT EXISTS vault_limit_changed AFTER UPDATE ON config_global
WHEN NEW.key GLOB 'b?lim_*' AND NEW.value <> OLD.value
BEGIN
    DELETE FROM vault_changes WHERE customer_id = 0 AND service = 0;
    INSERT INTO vault_changes (customer_id, service) VALUES (0, 0);
END;

-- Versions of vaults, noted when their files are there. The files are what counts.
CREATE TABLE IF NOT EXISTS vault_versions (
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
CREATE INDEX IF NOT EXISTS api_keys_in_force ON api_keys
    (customer_id, service, network, key_sha256, fingerprint, expires_at_ms, revoked_at_ms, deleted_at_ms)
WHERE revoked_at_ms IS NULL AND deleted_at_ms IS NULL;
CREATE INDEX IF NOT EXISTS customers_not_active ON customers (customer_id, status) WHERE status <> 'active';
CREATE INDEX IF NOT EXISTS spend_caps_stopped ON spend_caps (customer_id, month) WHERE stopped = 1;

-- Gateways as they were when that was noted last: after a restart it is known at once what each one has in force.
CREATE TABLE IF NOT EXISTS gateways (
    gateway         INTEGER PRIMARY KEY CHECK (gateway BETWEEN 1 AND 255),
    state           TEXT NOT NULL CHECK (state IN ('ok', 'behind', 'haproxy_down', 'unreachable', 'never_seen')),
    since_ms        INTEGER NOT NULL,
    heard_at_ms     INTEGER,      -- when its agent answered last
    silent_since_ms INTEGER,      -- since when it does not
    standing        TEXT NOT NULL -- a JSON object: what it said, and since when what is wrong
) STRICT;

-- What operators must hear of. What has a key is one row until it is over and acknowledged.
CREATE TABLE IF NOT EXISTS notifications (
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

CREATE UNIQUE INDEX IF NOT EXISTS notifications_not_done ON notifications (notification_key)
WHERE cleared_at_ms IS NULL OR acknowledged_at_ms IS NULL;
