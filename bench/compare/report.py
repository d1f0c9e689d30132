"""report.py --check FOLDER TOOL: holds one run's counts against those of the file, and prints the run with its verdict.
report.py FOLDER LINES [JSON]: the table, the ratios to be reached, and everything as JSON. Fails on a wrong count."""

import json
import os
import platform
import statistics
import sys

NAMES = {
    "suiftly": "suiftly",
    "duckdb": "DuckDB SQL, regular expression",
    "duckdb-csv": "DuckDB SQL, CSV reader",
    "clickhouse": "ClickHouse (chdb), regular expression",
    "clickhouse-split": "ClickHouse (chdb), split at spaces",
    "goaccess": "GoAccess (counts only)",
    "postgresql": "PostgreSQL, parsed beforehand",
}
# What suiftly is to reach, as a multiple of a tool's lines a second. PostgreSQL's is for its COPY alone.
TARGETS = {"clickhouse": 10, "duckdb": 14, "goaccess": 45, "postgresql": 30}
TARGET_LINES_PER_S = 2_000_000


def check(folder, tool):
    with open(f"{folder}/load") as load, open(f"{folder}/counts") as counts, open(f"{folder}/counts.json") as expected:
        run, found, expected = json.load(load), json.load(counts), json.load(expected)
    wrong = [
        f"{name}: {found[name]} instead of {expected['rows']}"
        for name in ("rows", "minutes")
        if name in found and found[name] != expected["rows"]
    ]
    differing = set(map(tuple, found["counts"])) ^ set(map(tuple, expected["counts"]))
    if differing:
        wrong.append(f"counts by customer and service differ, the first: {min(differing)}")
    print(json.dumps(run | {"wrong": wrong}))
    if wrong:
        sys.exit(f"compare: error: {NAMES[tool]} counted wrongly: {'; '.join(wrong)}")


def summary(folder, tool, lines):
    """Medians of a tool's runs; `None` if it was not run."""
    if not os.path.exists(f"{folder}/results/{tool}.jsonl"):
        return None
    with open(f"{folder}/results/{tool}.jsonl") as file:
        runs = [json.loads(line) for line in file]
    median = lambda field: statistics.median(run[field] for run in runs)  # noqa: E731
    speeds = [lines / run["seconds"] for run in runs]
    rows_seconds = [run.get("rows_seconds", run["seconds"]) for run in runs]
    return {
        "tool": NAMES[tool],
        "version": runs[0]["version"],
        "runs": len(runs),
        "lines_per_s": statistics.median(speeds),
        "lines_per_s_from": min(speeds),
        "lines_per_s_to": max(speeds),
        "lines_per_s_rows_only": lines / statistics.median(rows_seconds),
        "cpu_seconds": median("cpu_seconds"),
        "peak_rss": median("peak_rss"),
        "bytes_per_line": median("store_bytes") / lines,
    }


def main(folder, lines, json_path=""):
    lines = int(lines)
    results = {tool: summary(folder, tool, lines) for tool in NAMES}
    own = results["suiftly"]["lines_per_s"]
    rows = [("tool", "version", "lines/s", "from - to", "CPU s", "peak RSS", "bytes/line", "suiftly is")]
    for tool, result in results.items():
        reason = why_not(folder, tool)
        if result is None and reason:
            rows.append((NAMES[tool], f"not run: {reason}", *[""] * 6))
        elif result:
            rows.append(line_of(result, own))
    widths = [max(len(row[column]) for row in rows if len(row[2]) or column != 1) for column in range(8)]
    for row in rows:
        print("  ".join(field.ljust(width) if i < 2 else field.rjust(width) for i, (field, width) in enumerate(zip(row, widths))).rstrip())
    print()
    verdicts = [verdict("lines/s", own, TARGET_LINES_PER_S)]
    for tool, target in TARGETS.items():
        if results[tool]:
            what = f"times {NAMES[tool]}" + (", COPY alone" if tool == "postgresql" else "")
            verdicts.append(verdict(what, own / results[tool]["lines_per_s_rows_only"], target))
    for entry in verdicts:
        print(f"{'reached    ' if entry['reached'] else 'NOT reached'}  {entry['value']:,.1f} {entry['what']} (to reach: {entry['target']:,})")
    document = {
        "lines": lines,
        "machine": {"cpus": len(os.sched_getaffinity(0)), "processor": processor(), "kernel": platform.release()},
        "load_average_at_the_end": os.getloadavg(),
        "results": {tool: result or {"not_run": why_not(folder, tool)} for tool, result in results.items()},
        "targets": verdicts,
    }
    if json_path:
        with open(json_path, "w") as out:
            json.dump(document, out, indent=2)
    else:
        print("\n" + json.dumps(document))


def why_not(folder, tool):
    path = f"{folder}/results/{tool}.not-run"
    if not os.path.exists(path):
        return "not asked for"
    with open(path) as file:
        return file.read()


def line_of(result, own):
    return (
        result["tool"],
        result["version"],
        f"{result['lines_per_s']:,.0f}",
        f"{result['lines_per_s_from']:,.0f} - {result['lines_per_s_to']:,.0f}",
        f"{result['cpu_seconds']:.1f}",
        f"{result['peak_rss'] / 2**20:,.0f} MiB",
        f"{result['bytes_per_line']:.1f}",
        f"{own / result['lines_per_s']:.1f} x",
    )


def verdict(what, value, target):
    return {"what": what, "value": round(value, 2), "target": target, "reached": value >= target}


def processor():
    with open("/proc/cpuinfo") as info:
        return next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    check(*sys.argv[2:]) if sys.argv[1] == "--check" else main(*sys.argv[1:])
