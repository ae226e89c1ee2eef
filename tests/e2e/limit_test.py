"""What an account permits: quota, budget, circuit, keys, and a ledger that is busy or gone. The rate
is held in simulated time by tests/queue and measured in real time by tests/bench."""

import sqlite3
import subprocess
import time

from bench import Bench
from books import attempts, expect_right
from harness import MILLRACE, ApiServer, eventually, free_port, main


def test_the_quota_floor_pauses_until_a_person_goes_on():
    """[E3]"""
    with Bench("--quota", "40", quota_floor=10) as bench:
        bench.agent.start()
        bench.drop(60)
        gate = bench.gate_that_is("paused")
        eventually(lambda: bench.gate()["in_flight"] == 0, 30, "the end of what was under way")
        billed = bench.server.bill()["billed"]
        # What was in flight when the answer told that the floor is reached still comes.
        assert 30 <= billed <= 40 and "quota" in gate["reason"], (billed, gate)
        bench.agent.command("resume", "api")
        eventually(lambda: bench.server.bill()["billed"] == 40, 60, "the rest of the quota")
        gate = bench.gate_that_is("paused")
        assert "quota" in gate["reason"], gate
        eventually(lambda: bench.agent.folder("pictures")["waiting"] == 20, 30, "twenty that wait")


def test_the_monthly_budget_ends_paid_requests_and_holds_over_a_restart():
    """[E3]"""
    with Bench(monthly_budget=25) as bench:
        bench.agent.start()
        bench.drop(40)
        gate = bench.gate_that_is("paused")
        assert "budget" in gate["reason"] and gate["budget_left"] == 0, gate
        assert bench.server.bill()["billed"] == 25
        bench.agent.stop()
        bench.agent.start()
        bench.gate_that_is("paused")
        bench.agent.command("rescan")
        assert bench.server.bill()["posts"] == 25
        bench.keys["monthly_budget"] = 40
        bench.write_config()
        bench.finish(40)


def test_a_server_that_is_away_costs_no_attempt_and_is_found_again():
    """[E7] [D6]"""
    port = free_port()
    with Bench("--port", str(port)) as bench:
        bench.agent.start()
        bench.drop(20)
        bench.delivered("pictures", 20)
        bench.server.stop()
        bench.drop(100, first=20)
        gate = bench.gate_that_is("unreachable")
        assert gate["reason"], gate
        eventually(lambda: bench.agent.folder("pictures")["waiting"] == 100, 30, "all wait")
        tried = attempts(bench.ledger)
        assert tried <= 20 + 40, tried  # probes come one at a time
        bench.server = ApiServer("--latency-ms", "50", "--port", str(port))
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


def test_a_folder_is_held_back_no_longer_than_its_ledger_was_locked():
    """[J1]: it is let go when the end is recorded, long before the next delivery."""
    with Bench() as bench:
        bench.server.hold()
        bench.agent.start()
        bench.drop(1)
        eventually(lambda: bench.server.bill()["posts"] == 1, 30, "the request")
        other = sqlite3.connect(bench.ledger, timeout=30, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        bench.server.release()
        eventually(lambda: "ledger" in bench.agent.folder("pictures").get("blocked", ""), 60,
                   "a folder that says what the ledger lacks")
        other.execute("ROLLBACK")
        other.close()
        released = eventually(lambda: [row for row in [bench.agent.folder("pictures")]
                                       if "blocked" not in row], 60, "the folder's release")
        assert released[0]["delivered"] == 0, released
        bench.finish(1)


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
