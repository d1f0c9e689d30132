"""ClickHouse in this process (chdb): lines taken apart by a regular expression, or at its spaces with `--split`."""

import json
import sys

from chdb.session import Session

from measured import Stretch, emit, folder_bytes
from s1 import COLUMNS, GROUPS, PATTERN, PHASES

# Written as safely as the others write: ClickHouse by itself leaves it to the system when inserted parts reach the disk.
DURABLE = "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"

# The same columns as suiftly's table, words as ClickHouse's dictionaries; sorted by time, as the log all but is.
SCHEMA = [
    "CREATE DATABASE bench",
    f"""
CREATE TABLE bench.requests (
    ts DateTime64(3, 'UTC'), idle_ms UInt32, gateway UInt8, pid UInt32, log_counter UInt64, request_counter UInt64,
    customer_id Nullable(UInt32), service UInt8, network Nullable(UInt8), class UInt8, event UInt8, key_fp UInt32,
    client_ip IPv6, client_port UInt16, listener_port UInt16, method LowCardinality(String), path String,
    status UInt16, bytes_in UInt64, bytes_out UInt64, time_request_ms Int32, time_queue_ms Int32,
    time_connect_ms Int32, time_response_ms Int32, time_total_ms Int32, termination LowCardinality(String),
    backend LowCardinality(String), server LowCardinality(String), repeat UInt32)
ENGINE = MergeTree ORDER BY ts {DURABLE}""",
    *(
        f"""
CREATE TABLE bench.{table} (
    start DateTime('UTC'), customer_id Nullable(UInt32), service UInt8, network Nullable(UInt8), class UInt8,
    status_class UInt8, requests UInt64, bytes_in UInt64, bytes_out UInt64, time_sum_ms UInt64,
    time_min_ms Nullable(UInt32), time_max_ms Nullable(UInt32))
ENGINE = MergeTree ORDER BY start {DURABLE}"""
        for table in ("minutes", "hours")
    ),
]


def rows_of(log, column, columns):
    """The INSERT of all rows: `column` tells how a column is called in the lines taken apart as `columns`."""
    ms = " + ".join(f"toInt64({column(name)})" for name in ("ts", "t0", "t1"))
    some = lambda first, last: ", ".join(map(column, GROUPS[GROUPS.index(first) : GROUPS.index(last) + 1]))  # noqa: E731
    return f"""
INSERT INTO bench.requests
SELECT fromUnixTimestamp64Milli({ms}, 'UTC'), toUInt32({column("t0")}) + toUInt32({column("t1")}),
       {some("gateway", "request_counter")}, toUInt32OrNull({column("customer")}), {some("service", "event")},
       reinterpretAsUInt32(reverse(unhex(leftPad({column("key_fp")}, 8, '0')))), toIPv6({column("client_ip")}),
       {some("client_port", "bytes_out")}, {some("t2", "repeat")}
FROM (SELECT {columns} FROM file('{log}', 'LineAsString', 'line String'))"""


def by_pattern(log):
    pattern = PATTERN.replace("\\", "\\\\")
    return rows_of(log, lambda name: f"g[{GROUPS.index(name) + 1}]", f"extractGroups(line, '{pattern}') AS g")


def by_splitting(log):
    # Arrays count from 1, and the format's mark stands before the columns.
    column = lambda name: f"t[{PHASES.index(name) + 1}]" if name in PHASES else f"g[{COLUMNS.index(name) + 2}]"  # noqa: E731
    times = COLUMNS.index("times") + 2
    return rows_of(log, column, f"splitByChar(' ', line) AS g, splitByChar('/', g[{times}]) AS t")


ROLLUPS = [
    """
INSERT INTO bench.minutes
SELECT toStartOfMinute(ts), customer_id, service, network, class, intDiv(status, 100), sum(repeat),
       sum(bytes_in * repeat), sum(bytes_out), sum(greatest(time_total_ms, 0) * repeat),
       minIf(time_total_ms, time_total_ms >= 0), maxIf(time_total_ms, time_total_ms >= 0)
FROM bench.requests WHERE class != 8 GROUP BY 1, 2, 3, 4, 5, 6""",
    """
INSERT INTO bench.hours
SELECT toStartOfHour(start), customer_id, service, network, class, status_class, sum(requests), sum(bytes_in),
       sum(bytes_out), sum(time_sum_ms), min(time_min_ms), max(time_max_ms)
FROM bench.minutes GROUP BY 1, 2, 3, 4, 5, 6""",
]


def load(log, folder, reader=""):
    session = Session(f"{folder}/clickhouse")
    session.query("SET max_threads = 2, max_insert_threads = 2")
    for statement in SCHEMA:
        session.query(statement)
    with Stretch() as stretch:
        session.query(by_splitting(log) if reader == "--split" else by_pattern(log))
        for statement in ROLLUPS:
            session.query(statement)
    version = json.loads(str(session.query("SELECT version() AS version", "JSONEachRow")))["version"]
    session.close()
    emit(
        version=version,
        seconds=stretch.seconds,
        cpu_seconds=stretch.cpu,
        peak_rss=stretch.peak_rss,
        store_bytes=folder_bytes(f"{folder}/clickhouse/store"),
    )


def counts(_, folder, *_reader):
    session = Session(f"{folder}/clickhouse")
    rows = lambda sql: json.loads(str(session.query(sql, "JSONCompact")))["data"]  # noqa: E731
    emit(
        rows=int(rows("SELECT count() FROM bench.requests")[0][0]),
        minutes=int(rows("SELECT sum(requests) FROM bench.minutes")[0][0]),
        counts=[
            [int(field) for field in row]
            for row in rows("""SELECT coalesce(customer_id, 0) AS c, service, sum(requests), sum(bytes_out)
                               FROM bench.hours GROUP BY 1, 2 ORDER BY 1, 2""")
        ],
    )
    session.close()


if __name__ == "__main__":
    {"load": load, "counts": counts}[sys.argv[1]](*sys.argv[2:])
