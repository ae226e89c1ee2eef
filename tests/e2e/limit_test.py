"""What an account permits: rate, quota, budget, circuit, keys, and a ledger that is busy or gone."""

import sqlite3
import subprocess
import time

from bench import Bench
from books import attempts, expect_right
from harness import LONG, MILLRACE, ApiServer, eventually, main

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


def on_a_busy_machine(measurement, tries=3):
    """Real time on a shared machine: a measurement that others disturbed is made again, and every
    one is printed. The same limits are held without such luck in tests/queue, in simulated time."""
    for last in range(tries):
        try:
            return measurement()
        except AssertionError:
            if last == tries - 1:
                raise
    return None


def test_run_learns_12_a_second_from_429_alone():
    """[E4]"""
    on_a_busy_machine(lambda: expect_run_reaches("sliding", "retry-after"))


def test_run_learns_12_a_second_from_headers():
    """[E4]"""
    on_a_busy_machine(lambda: expect_run_reaches("fixed", "all"))


def expect_convert_reaches():
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


def test_convert_with_workers_reaches_12_a_second_from_the_start():
    """[E4]: the whole run is counted, from the first request on."""
    on_a_busy_machine(expect_convert_reaches)


def test_the_quota_floor_pauses_until_a_person_goes_on():
    """[E3]"""
    with Bench("--quota", "40", quota_floor=10) as bench:
        bench.agent.start()
        bench.drop(60)
        gate = eventually(lambda: bench.gate() if bench.gate()["state"] == "paused" else None, 60,
                          "the quota floor")
        eventually(lambda: bench.gate()["in_flight"] == 0, 30, "the end of what was under way")
        billed = bench.server.bill()["billed"]
        # What was in flight when the answer told that the floor is reached still comes.
        assert 30 <= billed <= 40 and "quota" in gate["reason"], (billed, gate)
        bench.agent.command("resume", "api")
        eventually(lambda: bench.server.bill()["billed"] == 40, 60, "the rest of the quota")
        row = eventually(lambda: bench.gate() if bench.gate()["state"] == "paused" else None, 60,
                         "an empty quota")
        assert "quota" in row["reason"], row
        eventually(lambda: bench.agent.folder("pictures")["waiting"] == 20, 30, "twenty that wait")


def test_the_monthly_budget_ends_paid_requests_and_holds_over_a_restart():
    """[E3]"""
    with Bench(monthly_budget=25) as bench:
        bench.agent.start()
        bench.drop(40)
        gate = eventually(lambda: bench.gate() if bench.gate()["state"] == "paused" else None, 60,
                          "a spent budget")
        assert "budget" in gate["reason"] and gate["budget_left"] == 0, gate
        assert bench.server.bill()["billed"] == 25
        bench.agent.stop()
        bench.agent.start()
        eventually(lambda: bench.gate()["state"] == "paused", 30, "the budget, remembered")
        bench.agent.command("rescan")
        assert bench.server.bill()["posts"] == 25
        bench.keys["monthly_budget"] = 40
        bench.write_config()
        bench.finish(40)


def test_a_server_that_is_away_costs_no_attempt_and_is_found_again():
    """[E7] [D6]"""
    with Bench() as bench:
        port = bench.server.port
        bench.agent.start()
        bench.drop(20)
        bench.delivered("pictures", 20)
        bench.server.stop()
        bench.drop(100, first=20)
        gate = eventually(lambda: bench.gate() if bench.gate()["state"] == "unreachable" else None,
                          60, "an open circuit")
        assert gate["reason"], gate
        eventually(lambda: bench.agent.folder("pictures")["waiting"] == 100, 30, "all wait")
        tried = attempts(bench.ledger)
        assert tried <= 20 + 40, tried  # probes come one at a time
        bench.server = ApiServer("--latency-ms", "50", port=port)
        bench.delivered("pictures", 120, 90)
        bill = bench.server.bill()
        assert bill["posts"] == bill["billed"] == 100, bill
        expect_right(bench.inbox(), bench.outbox())


def test_keys_from_environment_file_and_secret_are_sent_and_shown_nowhere():
    """[E2] [M1]"""
    token = "CANARY-4711-abc"
    for place in ("env", "file", "secret"):
        with Bench("--require-token", token) as bench:
            where = {"env": "BENCH_KEY", "file": str(bench.home / "key"), "secret": "bench"}[place]
            bench.keys["api_key"] = {place: where}
            bench.write_config()
            if place == "env":
                bench.agent.environment["BENCH_KEY"] = token
            elif place == "file":
                (bench.home / "key").write_text(token + "\n")
                (bench.home / "key").chmod(0o600)
            else:
                subprocess.run([MILLRACE, "secret", "set", "bench", "--config",
                                str(bench.agent.config)], input=token, text=True, check=True,
                               env=bench.agent.environment)
            bench.agent.start()
            bench.drop(3)
            bench.finish(3)
            assert token not in bench.agent.read_log()
            for file in bench.agent.state.rglob("*"):
                assert not file.is_file() or token.encode() not in file.read_bytes(), file


def test_a_ledger_that_another_program_locks_delays_and_loses_nothing():
    """[J1]"""
    with Bench() as bench:
        bench.agent.start()
        bench.drop(5)
        bench.delivered("pictures", 5)
        other = sqlite3.connect(bench.ledger, timeout=30, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        bench.drop(20, first=5)
        time.sleep(8)  # longer than the patience of a single statement
        posts = bench.server.bill()["posts"]
        other.execute("ROLLBACK")
        other.close()
        assert posts == 5, posts  # nothing is sent that cannot be recorded
        bench.finish(25)


def test_a_ledger_that_is_removed_ends_paid_requests_and_the_agent_says_so():
    """[J4]"""
    with Bench() as bench:
        bench.agent.start()
        bench.drop(5)
        bench.delivered("pictures", 5)
        bench.ledger.unlink()
        status = bench.agent.process.wait(90)
        assert status != 0, status
        assert "ledger" in bench.agent.read_log()
        assert bench.server.bill()["posts"] == 5


if __name__ == "__main__":
    main(globals())
