"""suiftly's own intake. Its binary's name is in $SUIFTLY_BIN."""

import json
import os
import sys

from duckdb_sql import counts_of
from measured import emit, run_measured


def load(log, folder):
    binary = os.environ["SUIFTLY_BIN"]
    version, *_ = run_measured([binary, "--version"])
    output, *_ = run_measured([binary, "bench", "intake", log, "--keep", f"{folder}/store", "--json"])
    report = json.loads(output)
    emit(
        version=version.split()[-1],
        seconds=report["seconds"],
        cpu_seconds=report["cpu_seconds"],
        peak_rss=report["peak_rss"],
        # Before the requests were sealed, which comes after the measurement.
        store_bytes=report["bytes_per_row"] * report["lines"],
    )


def counts(_, folder):
    # Hours are what was merged and the minutes of later batches; minutes as old as these lines are not kept for long.
    hours = """(SELECT customer_id, service, requests, bytes_out FROM hour_deltas
                UNION ALL SELECT customer_id, service, requests, bytes_out FROM minute_deltas
                WHERE batch > (SELECT merged_batch FROM traffic_store))"""
    counts_of(f"{folder}/store/traffic.duckdb", "all_requests", hours, hours)


if __name__ == "__main__":
    {"load": load, "counts": counts}[sys.argv[1]](*sys.argv[2:])
