"""GoAccess: its usual panels, kept on disk. It keeps no rows, only counts, and knows neither customers nor classes."""

import json
import os
import subprocess
import sys

from measured import emit, folder_bytes, run_measured

# `customer.service` is written as the virtual host; there are more of these than GoAccess shows unless told.
SETTINGS = """\
log-format %v %h %^[%d:%t %^] "%r" %s %b %L
date-format %d/%b/%Y
time-format %H:%M:%S
max-items 10000000
no-progress true
ignore-panel REFERRERS
ignore-panel KEYPHRASES
"""


def settings(folder):
    path = f"{folder}/goaccess.conf"
    with open(path, "w") as out:
        out.write(SETTINGS)
    os.makedirs(f"{folder}/goaccess", exist_ok=True)
    return ["--no-global-config", f"--config-file={path}", f"--db-path={folder}/goaccess"]


def load(log, folder):
    combined = os.path.join(os.path.dirname(log), "combined.log")
    version, *_ = run_measured(["goaccess", "--version"])
    usage = subprocess.run(["goaccess", "--help"], capture_output=True, text=True, check=False).stdout
    # Versions from 1.8 on can use several threads.
    jobs = ["--jobs=2"] if "--jobs" in usage else []
    command = ["goaccess", combined, *settings(folder), *jobs, "--persist", "--process-and-exit"]
    _, seconds, cpu, peak_rss = run_measured(command)
    emit(
        version=version.split()[2].rstrip("."),
        seconds=seconds,
        cpu_seconds=cpu,
        peak_rss=peak_rss,
        store_bytes=folder_bytes(f"{folder}/goaccess"),
    )


def counts(_, folder):
    out = f"{folder}/report.json"
    run_measured(["goaccess", *settings(folder), "--restore", f"--output={out}"])
    with open(out) as file:
        report = json.load(file)
    listed = [
        [*map(int, host["data"].split(".")), host["hits"]["count"], host["bytes"]["count"]]
        for host in report["vhosts"]["data"]
    ]
    emit(rows=report["general"]["valid_requests"], counts=sorted(listed))


if __name__ == "__main__":
    {"load": load, "counts": counts}[sys.argv[1]](*sys.argv[2:])
