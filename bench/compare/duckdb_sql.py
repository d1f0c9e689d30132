"""DuckDB's own SQL: lines taken apart by a regular expression, or by its CSV reader with `--csv`."""

import os
import sys

import duckdb

from measured import Stretch, emit
from s1 import COLUMNS, GROUPS, PATTERN, TEXTS

# The same columns as suiftly's table, words as text.
SCHEMA = """
CREATE TABLE requests (
    ts TIMESTAMP NOT NULL, idle_ms UINTEGER NOT NULL, gateway UTINYINT NOT NULL, pid UINTEGER NOT NULL,
    log_counter UBIGINT NOT NULL, request_counter UBIGINT NOT NULL, customer_id UINTEGER, service UTINYINT NOT NULL,
    network UTINYINT, class UTINYINT NOT NULL, event UTINYINT NOT NULL, key_fp UINTEGER NOT NULL,
    client_ip VARCHAR NOT NULL, client_port USMALLINT NOT NULL, listener_port USMALLINT NOT NULL,
    method VARCHAR NOT NULL, path VARCHAR NOT NULL, status USMALLINT NOT NULL, bytes_in UBIGINT NOT NULL,
    bytes_out UBIGINT NOT NULL, time_request_ms INTEGER NOT NULL, time_queue_ms INTEGER NOT NULL,
    time_connect_ms INTEGER NOT NULL, time_response_ms INTEGER NOT NULL, time_total_ms INTEGER NOT NULL,
    termination VARCHAR NOT NULL, backend VARCHAR NOT NULL, server VARCHAR NOT NULL, repeat UINTEGER NOT NULL);
CREATE TABLE minutes (
    start TIMESTAMP NOT NULL, customer_id UINTEGER, service UTINYINT NOT NULL, network UTINYINT,
    class UTINYINT NOT NULL, status_class UTINYINT NOT NULL, requests UBIGINT NOT NULL, bytes_in UBIGINT NOT NULL,
    bytes_out UBIGINT NOT NULL, time_sum_ms UBIGINT NOT NULL, time_min_ms UINTEGER, time_max_ms UINTEGER);
CREATE TABLE hours AS FROM minutes;
"""

# One string that cannot occur in a line keeps the reader from splitting it.
LINES = "read_csv(?, columns = {'line': 'VARCHAR'}, delim = '\\t', header = false, quote = '', escape = '', auto_detect = false)"

BY_PATTERN = f"""
INSERT INTO requests
SELECT make_timestamp((ts::BIGINT + t0::BIGINT + t1::BIGINT) * 1000), t0::UINTEGER + t1::UINTEGER, gateway::UTINYINT,
       pid::UINTEGER, log_counter::UBIGINT, request_counter::UBIGINT, nullif(customer, '-')::UINTEGER,
       service::UTINYINT, network::UTINYINT, class::UTINYINT, event::UTINYINT, ('0x' || key_fp)::UINTEGER, client_ip,
       client_port::USMALLINT, listener_port::USMALLINT, method, path, status::USMALLINT, bytes_in::UBIGINT,
       bytes_out::UBIGINT, t2::INTEGER, t3::INTEGER, t4::INTEGER, t5::INTEGER, t6::INTEGER, termination, backend,
       server, repeat::UINTEGER
FROM (SELECT unnest(regexp_extract(line, '{PATTERN}', {GROUPS})) FROM {LINES})
"""

TYPES = {"mark": "VARCHAR"} | {name: "VARCHAR" if name in TEXTS else "BIGINT" for name in COLUMNS}
BY_CSV = f"""
INSERT INTO requests
SELECT make_timestamp((ts + t[1]::BIGINT + t[2]::BIGINT) * 1000), t[1]::UINTEGER + t[2]::UINTEGER, gateway, pid,
       log_counter, request_counter, customer, service, network, class, event, ('0x' || key_fp)::UINTEGER, client_ip,
       client_port, listener_port, method, path, status, bytes_in, bytes_out, t[3]::INTEGER, t[4]::INTEGER,
       t[5]::INTEGER, t[6]::INTEGER, t[7]::INTEGER, termination, backend, server, repeat
FROM (SELECT *, string_split(times, '/') AS t
      FROM read_csv(?, columns = {TYPES}, delim = ' ', header = false, quote = '', escape = '',
                    nullstr = '-', auto_detect = false))
"""

MINUTES = """
INSERT INTO minutes
SELECT date_trunc('minute', ts), customer_id, service, network, class, status // 100, sum(repeat),
       sum(bytes_in * repeat), sum(bytes_out), sum(greatest(time_total_ms, 0)::UBIGINT * repeat),
       min(time_total_ms) FILTER (time_total_ms >= 0), max(time_total_ms) FILTER (time_total_ms >= 0)
FROM requests WHERE class <> 8 GROUP BY ALL
"""
HOURS = """
INSERT INTO hours
SELECT date_trunc('hour', start), customer_id, service, network, class, status_class, sum(requests), sum(bytes_in),
       sum(bytes_out), sum(time_sum_ms), min(time_min_ms), max(time_max_ms)
FROM minutes GROUP BY ALL
"""


def load(log, folder, reader=""):
    path = f"{folder}/requests.duckdb"
    connection = duckdb.connect(path, config={"threads": 2, "preserve_insertion_order": False})
    connection.execute(SCHEMA)
    with Stretch() as stretch:
        connection.execute("BEGIN")
        connection.execute(BY_CSV if reader == "--csv" else BY_PATTERN, [log])
        connection.execute(MINUTES)
        connection.execute(HOURS)
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")
    connection.close()
    emit(
        version=duckdb.__version__,
        seconds=stretch.seconds,
        cpu_seconds=stretch.cpu,
        peak_rss=stretch.peak_rss,
        store_bytes=os.path.getsize(path),
    )


def counts_of(path, requests, minutes, hours):
    """Prints the counts of a store, from its hours; rows and minutes in all."""
    connection = duckdb.connect(path, read_only=True)
    total = lambda sql: connection.execute(sql).fetchone()[0]  # noqa: E731
    emit(
        rows=total(f"SELECT count(*) FROM {requests}"),
        minutes=int(total(f"SELECT sum(requests) FROM {minutes}")),
        counts=connection.execute(
            f"""SELECT coalesce(customer_id, 0), service, sum(requests)::BIGINT, sum(bytes_out)::BIGINT
                FROM {hours} GROUP BY ALL ORDER BY ALL"""
        ).fetchall(),
    )


def counts(_, folder, *_reader):
    counts_of(f"{folder}/requests.duckdb", "requests", "minutes", "hours")


if __name__ == "__main__":
    {"load": load, "counts": counts}[sys.argv[1]](*sys.argv[2:])
