"""Runs a command as a whole process and reads the operating system's own account of it."""
import os
import subprocess
import time
from dataclasses import dataclass
from statistics import median


@dataclass
class Run:
    wall: float
    user: float
    system: float
    rss: int      # peak, bytes
    status: int

    @property
    def cpu(self):
        return self.user + self.system


def run(command, stdin=None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, environment=None):
    begin = time.monotonic()
    child = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr,
                             env={**os.environ, **(environment or {})})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return Run(time.monotonic() - begin, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024, child.returncode)


def middle(runs):
    """The run-wise medians; a single odd run does not decide."""
    return Run(*(median(getattr(r, f) for r in runs) for f in ("wall", "user", "system", "rss", "status")))


def table(title, header, rows):
    widths = [max(len(str(r[i])) for r in [header] + rows) for i in range(len(header))]
    print(f"\n{title}")
    for r in [header] + rows:
        print("  " + "  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(r, widths))))


def machine():
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    return f"{os.cpu_count()} cores ({model}), Linux {os.uname().release}, load {os.getloadavg()[0]:.1f} at start"
