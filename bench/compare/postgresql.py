"""PostgreSQL: COPY of rows that were parsed beforehand into a table with the indexes of a logging platform.

$POSTGRES_BIN names the folder of its programs. Root runs them as the user `postgres`, as PostgreSQL demands.
"""

import glob
import os
import subprocess
import sys
import threading

from measured import Stretch, emit, run_measured

# Durable as it comes; only memory and the distance of checkpoints are those of a machine that loads much.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "2GB",
    "work_mem": "256MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "16GB",
    "listen_addresses": "",
    "jit": "off",
    "timezone": "UTC",
}

# The platform's table of requests and its seven indexes, and the one on time that a TimescaleDB hypertable adds to it.
# Its foreign key to the customers is left out, in PostgreSQL's favour.
SCHEMA = """
CREATE TABLE requests (
    ts timestamptz NOT NULL, customer_id integer, path_prefix text, config_hex bigint, network smallint NOT NULL,
    server_id smallint NOT NULL, service smallint NOT NULL, key_fp integer NOT NULL, frontend smallint NOT NULL,
    class smallint NOT NULL, event smallint NOT NULL, client_ip inet NOT NULL, key_metadata smallint,
    status smallint NOT NULL, bytes_out bigint NOT NULL DEFAULT 0, time_total_ms integer NOT NULL,
    time_request_ms integer, time_queue_ms integer, time_connect_ms integer, time_response_ms integer,
    backend smallint DEFAULT 0, termination text);
CREATE INDEX ON requests (ts DESC);
CREATE INDEX ON requests (customer_id, ts DESC) WHERE customer_id IS NOT NULL;
CREATE INDEX ON requests (server_id, ts DESC);
CREATE INDEX ON requests (service, network, ts DESC);
CREATE INDEX ON requests (class, ts DESC);
CREATE INDEX ON requests (event, ts DESC) WHERE event <> 0;
CREATE INDEX ON requests (status, ts DESC);
CREATE INDEX ON requests (key_fp, ts DESC) WHERE key_fp <> 0;
CREATE TABLE minutes (
    start timestamptz NOT NULL, customer_id integer, service smallint NOT NULL, network smallint,
    class smallint NOT NULL, status_class smallint NOT NULL, requests bigint NOT NULL, bytes_out bigint NOT NULL,
    time_sum_ms bigint NOT NULL, time_min_ms integer, time_max_ms integer);
CREATE TABLE hours (LIKE minutes);
"""

ROLLUPS = """
BEGIN;
INSERT INTO minutes
SELECT date_trunc('minute', ts), customer_id, service, network, class, status / 100, count(*), sum(bytes_out),
       sum(greatest(time_total_ms, 0)), min(time_total_ms) FILTER (WHERE time_total_ms >= 0),
       max(time_total_ms) FILTER (WHERE time_total_ms >= 0)
FROM requests WHERE class <> 8 GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO hours
SELECT date_trunc('hour', start), customer_id, service, network, class, status_class, sum(requests), sum(bytes_out),
       sum(time_sum_ms), min(time_min_ms), max(time_max_ms)
FROM minutes GROUP BY 1, 2, 3, 4, 5, 6;
COMMIT;
"""

COUNTS = """
SELECT coalesce(customer_id, 0)::bigint & 4294967295, service, sum(requests), sum(bytes_out)
FROM hours GROUP BY 1, 2 ORDER BY 1, 2
"""


def program(name):
    privileges = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    return [*privileges, os.path.join(os.environ["POSTGRES_BIN"], name)]


class Cluster:
    """A server of its own, on a socket in the folder and no port, while inside."""

    def __init__(self, folder):
        self.data, self.socket = f"{folder}/postgresql", folder

    def create(self):
        if os.geteuid() == 0:
            subprocess.run(["chown", "postgres:", self.socket], check=True)
        run_measured([*program("initdb"), "--auth=trust", "--username=bench", "--encoding=UTF8", "--locale=C", self.data])

    def __enter__(self):
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        command = [*program("postgres"), "-D", self.data, "-k", self.socket, *settings]
        self.log = open(f"{self.socket}/server.log", "a")
        self.server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        run_measured([*program("pg_ctl"), "status", "-D", self.data]) if self.is_ready() else self.give_up()
        return self

    def is_ready(self):
        """Waits for the socket, at most a minute."""
        ready = [*program("pg_isready"), "--quiet", "--host", self.socket]
        waiting = threading.Event()
        for _ in range(600):
            if self.server.poll() is not None:
                return False
            if subprocess.run(ready, check=False).returncode == 0:
                return True
            waiting.wait(0.1)
        return False

    def give_up(self):
        self.server.terminate()
        with open(self.log.name) as log:
            sys.exit("PostgreSQL did not start: " + log.read()[-500:])

    def __exit__(self, *failure):
        """Stops the server with a checkpoint; `cpu` is then what all its processes have used since the start."""
        self.server.terminate()
        _, status, usage = os.wait4(self.server.pid, 0)
        self.server.returncode = os.waitstatus_to_exitcode(status)
        self.cpu = usage.ru_utime + usage.ru_stime
        self.log.close()

    def query(self, sql):
        command = [*program("psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", self.socket, "-U", "bench", "-d", "postgres", "-c", sql]
        return run_measured(command)[0].strip()

    def processes(self):
        return [self.server.pid, *children(self.server.pid)]


def children(pid):
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with open(path) as listed:
            found += map(int, listed.read().split())
    return found


class Memory(threading.Thread):
    """Looks five times a second at the memory of the server's processes, shared pages counted once between them."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.ended, self.peak = cluster, threading.Event(), 0

    def run(self):
        while not self.ended.wait(0.2):
            self.peak = max(self.peak, sum(map(proportional_bytes, self.cluster.processes())))


def proportional_bytes(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            return next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def load(log, folder):
    rows = os.path.join(os.path.dirname(log), "rows.csv")
    cluster = Cluster(folder)
    cluster.create()
    with cluster:
        cluster.query(SCHEMA)
        memory = Memory(cluster)
        memory.start()
        with Stretch() as stretch:
            cluster.query(f"COPY requests FROM '{rows}' (FORMAT csv)")
            rows_seconds = stretch.lap()
            cluster.query(ROLLUPS)
        memory.ended.set()
        version = cluster.query("SHOW server_version").split()[0]
        store_bytes = cluster.query(
            "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest('{requests,minutes,hours}'::text[]) AS name"
        )
    emit(
        version=version,
        seconds=stretch.seconds,
        rows_seconds=rows_seconds,
        cpu_seconds=cluster.cpu,
        peak_rss=memory.peak,
        store_bytes=int(store_bytes),
    )


def counts(_, folder):
    with Cluster(folder) as cluster:
        emit(
            rows=int(cluster.query("SELECT count(*) FROM requests")),
            minutes=int(cluster.query("SELECT sum(requests) FROM minutes")),
            counts=[[int(field) for field in row.split("|")] for row in cluster.query(COUNTS).splitlines()],
        )


if __name__ == "__main__":
    {"load": load, "counts": counts}[sys.argv[1]](*sys.argv[2:])
