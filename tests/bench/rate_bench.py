#!/usr/bin/python3
"""How much of an account's limit of 12 requests a second is used, in real time, on the real binary.

    MILLRACE=... API_SERVER=... tests/bench/rate_bench.py

At least 0.93 of the limit, at most 3 % refused. Nothing else should run meanwhile; the same limits
are held in simulated time by tests/queue.
"""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from bench import Bench  # noqa: E402
from books import attempts, expect_right  # noqa: E402
from harness import LONG, MILLRACE, ApiServer, main  # noqa: E402

RATE = 12


def expect_well_used(bill, seconds, waste=0.03):
    """At least 0.93 of the limit was reached while the run lasted, and few requests were wasted."""
    good, refused = bill["status"].get("200", 0), bill["status"].get("429", 0)
    share = good / (RATE * seconds)
    print(f"        {share:.3f} of the limit, {refused} of {good + refused} refused")
    assert share >= 0.93, (share, bill)
    assert refused <= waste * (good + refused), bill


def measure(bench, lead, seconds):
    """The bill of `seconds` that begin after `lead` seconds of work."""
    time.sleep(lead)  # what is measured is the time after the limit has been learnt
    began, first = time.monotonic(), bench.server.bill()
    time.sleep(seconds)
    took, last = time.monotonic() - began, bench.server.bill()
    status = {key: last["status"].get(key, 0) - first["status"].get(key, 0)
              for key in ("200", "429")}
    return {"status": status}, took


def rate_server(semantics, headers):
    return ["--rate-limit", f"{RATE}/s", "--rate-semantics", semantics, "--rate-headers", headers,
            "--latency-ms", "200"]


def expect_run_reaches(semantics, headers):
    lead, seconds = (20, 60) if LONG else (12, 15)
    with Bench(*rate_server(semantics, headers), concurrency="auto") as bench:
        bench.agent.start()
        bench.drop(RATE * (lead + seconds + 5))
        bill, took = measure(bench, lead, seconds)
        expect_well_used(bill, took)
        bench.agent.kill()
        whole = bench.server.bill()
        assert whole["posts"] - attempts(bench.ledger) in (0, 1), whole
        # The whole run, the search for the limit included.
        assert whole["status"].get("429", 0) <= 0.1 * whole["posts"], whole


def test_run_learns_12_a_second_from_429_alone():
    expect_run_reaches("sliding", "retry-after")


def test_run_learns_12_a_second_from_headers():
    expect_run_reaches("fixed", "all")


def test_convert_with_workers_reaches_12_a_second_from_the_start():
    seconds = 60 if LONG else 30
    with ApiServer(*rate_server("bucket", "all")) as server, Bench() as place:
        place.drop(RATE * seconds)
        began = time.monotonic()
        done = subprocess.run(
            [MILLRACE, "convert", str(place.inbox()), "--to", "webp", "--out",
             str(place.outbox()), "--url", server.url, "--workers", "16", "--state-dir",
             str(place.home / "s"), "--json"],
            env=place.agent.environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
        expect_well_used(server.bill(), time.monotonic() - began)
        expect_right(place.inbox(), place.outbox())


main(globals())
