"""What the benchmarks share: pictures, the three contenders, clocks, and the best schedule."""

import heapq
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import harness

HERE = Path(__file__).resolve().parent

PNG_HEAD = b"\x89PNG\r\n\x1a\n"
PNG_TAIL = b"\x00\x00\x00\x00IEND\xaeB`\x82"


def picture(size):
    """Bytes that begin and end as a PNG does, different each time."""
    return PNG_HEAD + os.urandom(max(0, size - len(PNG_HEAD) - len(PNG_TAIL))) + PNG_TAIL


def fill(folder, count, size):
    folder.mkdir(parents=True)
    for i in range(count):
        (folder / f"f{i:06d}.png").write_bytes(picture(size))


def let_settle(seconds=11):
    """Files that changed less than 10 s ago are waited for; a benchmark of speed has older ones."""
    time.sleep(seconds)


class Run:
    """One contender's run: wall time, and CPU time of the process and what it waited for."""

    def __init__(self, words, **options):
        began = time.monotonic()
        child = subprocess.Popen(words, **options)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.wall = time.monotonic() - began
        self.cpu = usage.ru_utime + usage.ru_stime
        if child.returncode != 0:
            raise RuntimeError(f"{words[0]} ended with {child.returncode}")


def quiet():
    return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def run_curl(url, inbox, outbox, workers, count, scratch):
    outbox.mkdir()
    parts = []
    for path in sorted(inbox.iterdir())[:count]:
        parts.append(f'url = "{url}"\nform = "file=@{path}"\nform = "target=webp"\n'
                     f'header = "Idempotency-Key: {path.name}"\n'
                     f'output = "{outbox / path.stem}.webp"\n')
    config = scratch / "curl.cfg"
    config.write_text("next\n".join(parts))
    return Run(["curl", "--parallel", "--parallel-max", str(workers), "--no-progress-meter",
                "-K", str(config)], **quiet())


def run_httpx(url, inbox, outbox, workers, count, scratch):
    outbox.mkdir()
    return Run([sys.executable, str(HERE / "peer_httpx.py"), url, str(inbox), str(outbox),
                str(workers), str(count)], **quiet())


def run_millrace(url, inbox, outbox, workers, count, scratch):
    outbox.mkdir()
    names = [str(inbox)]
    if count < len(os.listdir(inbox)):
        names = [str(path) for path in sorted(inbox.iterdir())[:count]]
    environment = dict(os.environ, HOME=str(scratch), XDG_RUNTIME_DIR=str(scratch))
    return Run([harness.MILLRACE, "convert", *names, "--to", "webp", "--out", str(outbox), "--url",
                url, "--workers", str(workers), "--state-dir", str(scratch / "state")],
               env=environment, **quiet())


def read_book(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def span_of(book):
    """From the first request's head to the last answer, in seconds."""
    return (max(p["time_us"] + p["latency_us"] for p in book)
            - min(p["time_us"] for p in book)) / 1e6


def best_schedule(book, workers):
    """Seconds that `workers` need if each takes the next request the moment it is free."""
    free = [0] * workers
    for post in sorted(book, key=lambda p: p["seq"]):
        heapq.heapreplace(free, free[0] + post["latency_us"])
    return max(free) / 1e6


def share(values, at):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(at * len(ordered)))]


def median(values):
    return statistics.median(values)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid, field="VmRSS"):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0.0
