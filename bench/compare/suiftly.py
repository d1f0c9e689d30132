"""suiftly's own intake. Its binary's name is in $SUIFTLY_BIN."""

import json
import os
import sys

from duckdb_sql import counts_of
from measured import emit, run_measured


def load(log, folder):
    binary = os.environ["SUIFTLY_BIN"]
    version, *_ = run_measured([binary, "--version"])
    # The CPU time is that of the whole process, which also counts the lines of the file beforehand.
    output, _, cpu, peak_rss = run_measured([binary, "bench", "intake", log, "--keep", f"{folder}/store", "--json"])
    report = json.loads(output)
    emit(
        version=version.split()[-1],
        seconds=report["seconds"],
        cpu_seconds=cpu,
        peak_rss=peak_rss,
        store_bytes=os.path.getsize(f"{folder}/store/traffic.duckdb"),
    )


def counts(_, folder):
    counts_of(f"{folder}/store/traffic.duckdb", "minute_deltas", "hour_deltas")


if __name__ == "__main__":
    {"load": load, "counts": counts}[sys.argv[1]](*sys.argv[2:])
