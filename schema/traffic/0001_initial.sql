-- Step 1: the first version of the store.
-- One row. `store_id` names this file: a ledger that has copied usage from another file starts its copy anew.
CREATE TABLE IF NOT EXISTS traffic_store (
    store_id     VARCHAR NOT NULL,
    last_batch   UBIGINT NOT NULL,
    merged_batch UBIGINT NOT NULL, -- batches up to this one are in the sums of hours and days
    first_shape  UBIGINT NOT NULL, -- shapes before this one are given to no further rows
    rebuilt_at   TIMESTAMP, -- if it was made anew after damage: earlier hours may lack what only the old one knew
    billed_before TIMESTAMP, -- and hours before this were all billed: what they have more is history,
    rebuilt_batch UBIGINT -- as far as these batches brought it
);

-- Logs that are followed. Files beside a log that is not yet here are history; later ones are its rotated files.
CREATE TABLE IF NOT EXISTS intake_sources (
    source VARCHAR NOT NULL
);

-- How far each log file has been read. Changes only together with the rows that were read.
CREATE TABLE IF NOT EXISTS intake_files (
    source      VARCHAR NOT NULL, -- the configured path
    device      UBIGINT NOT NULL,
    inode       UBIGINT NOT NULL,
    head_bytes  UINTEGER NOT NULL, -- length of the head that `head_hash` covers
    head_hash   UBIGINT NOT NULL,
    counted_from UBIGINT NOT NULL, -- the first byte that was counted; what is before it was history
    read_offset UBIGINT NOT NULL,  -- the first byte that is not yet counted
    modified_ns BIGINT NOT NULL    -- the file's modification time when last seen
);

-- How far each spool has been read: records before this place are counted, and those behind it are not.
CREATE TABLE IF NOT EXISTS spool_positions (
    spool       VARCHAR NOT NULL,
    segment     UBIGINT NOT NULL,
    read_offset UBIGINT NOT NULL
);

-- Log files that were followed and are gone, in case they come again packed. The oldest are trimmed.
CREATE TABLE IF NOT EXISTS finished_files (
    source       VARCHAR NOT NULL,
    head_bytes   UINTEGER NOT NULL,
    head_hash    UBIGINT NOT NULL,
    counted_from UBIGINT NOT NULL,
    read_offset  UBIGINT NOT NULL
);

-- Files that were imported, known by how their unpacked content begins.
CREATE TABLE IF NOT EXISTS imports (
    head_bytes   UINTEGER NOT NULL,
    head_hash    UBIGINT NOT NULL,
    read_offset  UBIGINT NOT NULL, -- the first byte of the content that is not yet dealt with
    content_hash UBIGINT NOT NULL, -- XXH3-64 of the content before it
    name         VARCHAR NOT NULL,
    lines        UBIGINT NOT NULL
);

-- HAProxy's line counter by worker, listener and minute, to be merged: the least first, the greatest last, the sum of
-- what was received. What the counter went on by and did not come is lost.
CREATE TABLE IF NOT EXISTS line_spans (
    gateway       UTINYINT NOT NULL,
    pid           UINTEGER NOT NULL,
    listener_port USMALLINT NOT NULL,
    minute        TIMESTAMP NOT NULL,
    first_counter UBIGINT NOT NULL,
    last_counter  UBIGINT NOT NULL,
    received      UBIGINT NOT NULL,
    first_at      TIMESTAMP NOT NULL, -- when the line with the first counter was written, and that with the last
    last_at       TIMESTAMP NOT NULL
);

-- Lines that came again and are no rows, to be added up.
CREATE TABLE IF NOT EXISTS duplicate_counts (
    gateway UTINYINT NOT NULL,
    hour    TIMESTAMP NOT NULL,
    lines   UBIGINT NOT NULL
);

-- What repeats in almost every request, by number: a row of requests has the number of its shape in place of these
-- columns. Shapes that no row has any more are deleted.
CREATE TABLE IF NOT EXISTS request_shapes (
    number        UBIGINT NOT NULL,
    gateway       UTINYINT NOT NULL,
    pid           UINTEGER NOT NULL,
    service       UTINYINT NOT NULL,
    network       UTINYINT,
    class         UTINYINT NOT NULL,
    event         UTINYINT NOT NULL,
    listener_port USMALLINT NOT NULL,
    method        VARCHAR NOT NULL, -- OTHER: not a standard one
    path          VARCHAR NOT NULL,
    status        USMALLINT NOT NULL, -- 0: no response
    termination   VARCHAR NOT NULL,
    backend       VARCHAR NOT NULL,
    server        VARCHAR NOT NULL,
    repeat        UINTEGER NOT NULL
);

-- Every request that is not sealed yet, one row a log line, without its shape. Other ways to compress would hardly save
-- room, and trying them takes time.
CREATE TABLE IF NOT EXISTS request_rows (
    batch            UBIGINT USING COMPRESSION bitpacking NOT NULL, -- the batch that brought it: the order in which requests became known
    ts               TIMESTAMP USING COMPRESSION bitpacking NOT NULL,
    idle_ms          UINTEGER USING COMPRESSION bitpacking NOT NULL,
    log_counter      UBIGINT USING COMPRESSION bitpacking NOT NULL,
    request_counter  UBIGINT USING COMPRESSION bitpacking NOT NULL,
    customer_id      UINTEGER USING COMPRESSION bitpacking, -- NULL: not authenticated
    shape            UBIGINT USING COMPRESSION bitpacking NOT NULL,
    own_path         VARCHAR, -- in place of its shape's, when a batch has many paths
    key_fp           UINTEGER USING COMPRESSION bitpacking NOT NULL,
    client_ip_high   UBIGINT USING COMPRESSION bitpacking NOT NULL, -- the IPv6 address (IPv4 mapped) in two halves
    client_ip_low    UBIGINT USING COMPRESSION bitpacking NOT NULL,
    client_port      USMALLINT USING COMPRESSION bitpacking NOT NULL,
    bytes_in         UBIGINT USING COMPRESSION bitpacking NOT NULL,
    bytes_out        UBIGINT USING COMPRESSION bitpacking NOT NULL,
    time_request_ms  INTEGER USING COMPRESSION bitpacking NOT NULL, -- -1: the phase did not happen
    time_queue_ms    INTEGER USING COMPRESSION bitpacking NOT NULL,
    time_connect_ms  INTEGER USING COMPRESSION bitpacking NOT NULL,
    time_response_ms INTEGER USING COMPRESSION bitpacking NOT NULL,
    time_total_ms    INTEGER USING COMPRESSION bitpacking NOT NULL
);

-- Those requests with all their columns.
CREATE OR REPLACE VIEW requests AS
    SELECT batch, ts, idle_ms, gateway, pid, log_counter, request_counter, customer_id, service, network, class, event,
           key_fp, client_ip_high, client_ip_low, client_port, listener_port, method, coalesce(own_path, path) AS path,
           status, bytes_in, bytes_out, time_request_ms, time_queue_ms, time_connect_ms, time_response_ms, time_total_ms,
           termination, backend, server, repeat
    FROM request_rows JOIN request_shapes ON number = shape;

-- Sealed requests: Parquet files in `chunks/`, each of a span of time within one day. A span may have several: late
-- lines form another one.
CREATE TABLE IF NOT EXISTS sealed_parts (
    file       VARCHAR NOT NULL,   -- name within the folder
    span_start TIMESTAMP NOT NULL,
    span_end   TIMESTAMP NOT NULL, -- exclusive
    rows       UBIGINT NOT NULL,
    requests   UBIGINT NOT NULL,   -- merged ones counted
    bytes_in   UBIGINT NOT NULL,
    bytes_out  UBIGINT NOT NULL,
    file_bytes UBIGINT NOT NULL,
    sha256     VARCHAR NOT NULL    -- of the file, hexadecimal
);

-- Names of sealed files to delete: being written, or retired. A file that is neither here nor above is nobody's to delete.
CREATE TABLE IF NOT EXISTS disposable_parts (
    file VARCHAR NOT NULL
);

-- One row. Requests from before this instant were dropped when they were too old; so many rows they were.
CREATE TABLE IF NOT EXISTS retirement (
    dropped_before TIMESTAMP NOT NULL,
    dropped_rows   UBIGINT NOT NULL
);

-- Counts to be added up: each batch appends its own minutes, merging replaces many rows by their sum and adds them to
-- hours and days (src/traffic/relation.rs). A row's two lists are a
-- histogram of total times: the numbers of its buckets (core/latency_histogram.rs) and the requests in each.
CREATE TABLE IF NOT EXISTS minute_deltas (
    batch           UBIGINT NOT NULL, -- the newest batch in the sum
    start           TIMESTAMP NOT NULL,
    customer_id     UINTEGER,
    service         UTINYINT NOT NULL,
    network         UTINYINT,
    class           UTINYINT NOT NULL,
    status_class    UTINYINT NOT NULL,
    requests        UBIGINT NOT NULL,
    bytes_in        UBIGINT NOT NULL,
    bytes_out       UBIGINT NOT NULL,
    time_sum_ms     UBIGINT NOT NULL,
    time_min_ms     UINTEGER,
    time_max_ms     UINTEGER,
    latency_buckets UTINYINT[] NOT NULL,
    latency_counts  UBIGINT[] NOT NULL
);

CREATE TABLE IF NOT EXISTS hour_deltas (
    batch           UBIGINT NOT NULL,
    start           TIMESTAMP NOT NULL,
    customer_id     UINTEGER,
    service         UTINYINT NOT NULL,
    network         UTINYINT,
    class           UTINYINT NOT NULL,
    status_class    UTINYINT NOT NULL,
    requests        UBIGINT NOT NULL,
    bytes_in        UBIGINT NOT NULL,
    bytes_out       UBIGINT NOT NULL,
    time_sum_ms     UBIGINT NOT NULL,
    time_min_ms     UINTEGER,
    time_max_ms     UINTEGER,
    latency_buckets UTINYINT[] NOT NULL,
    latency_counts  UBIGINT[] NOT NULL
);

CREATE TABLE IF NOT EXISTS day_deltas (
    batch           UBIGINT NOT NULL,
    start           TIMESTAMP NOT NULL,
    customer_id     UINTEGER,
    service         UTINYINT NOT NULL,
    network         UTINYINT,
    class           UTINYINT NOT NULL,
    status_class    UTINYINT NOT NULL,
    requests        UBIGINT NOT NULL,
    bytes_in        UBIGINT NOT NULL,
    bytes_out       UBIGINT NOT NULL,
    time_sum_ms     UBIGINT NOT NULL,
    time_min_ms     UINTEGER,
    time_max_ms     UINTEGER,
    latency_buckets UTINYINT[] NOT NULL,
    latency_counts  UBIGINT[] NOT NULL
);

-- Lines that could not be parsed, with their first bytes; the oldest are trimmed.
CREATE TABLE IF NOT EXISTS quarantine (
    batch       UBIGINT NOT NULL,
    source      VARCHAR NOT NULL,
    inode       UBIGINT NOT NULL,
    line_offset UBIGINT NOT NULL,
    line_bytes  UBIGINT NOT NULL,
    reason      VARCHAR NOT NULL,
    head        BLOB NOT NULL
);

-- How many lines were ever rejected, to be added up; never trimmed.
CREATE TABLE IF NOT EXISTS reject_counts (
    reason VARCHAR NOT NULL,
    lines  UBIGINT NOT NULL
);
