"""What the loads of the comparison share: a timed stretch with its CPU time, its memory, and the size of what it left."""

import json
import os
import resource
import subprocess
import sys
import time


class Stretch:
    """Times what runs between entering and leaving: wall clock, and CPU time of this process with all its threads."""

    def __enter__(self):
        self._cpu = cpu_seconds(resource.RUSAGE_SELF)
        self._began = time.monotonic()
        return self

    def lap(self):
        """Seconds so far."""
        return time.monotonic() - self._began

    def __exit__(self, *failure):
        self.seconds = self.lap()
        self.cpu = cpu_seconds(resource.RUSAGE_SELF) - self._cpu
        self.peak_rss = status_bytes("self", "VmHWM")


def cpu_seconds(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def status_bytes(process, field):
    """A line of /proc/PROCESS/status in bytes."""
    with open(f"/proc/{process}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))


def run_measured(command, **options):
    """Runs a command to its end: its output, seconds, CPU seconds and greatest resident memory in bytes."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **options)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed with {process.returncode}: {output[-500:]}")
    return output, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def folder_bytes(folder):
    """Bytes of all files below a folder, each counted once however many names it has."""
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            info = os.stat(os.path.join(path, name), follow_symlinks=False)
            found[info.st_ino] = info.st_size
    return sum(found.values())


def emit(**fields):
    print(json.dumps(fields))
