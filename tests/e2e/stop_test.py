"""SIGTERM under load: gone within five seconds with status 0, nothing lost or converted twice.
Rows I1, E16."""

import random
import signal
import time

from ending import (OutboxReader, check_all_delivered, check_bill, input_of, leftovers,
                    ledger_rows, sha256)
from harness import (Agent, ApiServer, Scratch, converter_toml, count, drop, eventually,
                     folder_toml, main, png)

SEED = 20260730
MEMORY = "/dev/shm"  # where no sync waits for a disk: the time of a stop is the agent's own


def agent_on(home, server, **converter):
    for folder in ("in", "out"):
        (home / folder).mkdir()
    return Agent(home / "a", folder_toml("f", home / "in", home / "out", settle="0s"),
                 converter_toml(server.url, **converter))


def big_file(size, seed=0):
    """Begins and ends as a picture does; its content is of no concern to the stand-in."""
    block = seed.to_bytes(8, "big") + bytes(range(248))
    return b"\x89PNG\r\n\x1a\n" + block * (size // 256) + b"IEND\xaeB`\x82"


def holds_the_lock(agent):
    """Signals are heeded from before it takes the lock."""
    lock = agent.state / "lock"
    return lock.exists() and lock.read_text() == str(agent.process.pid)


def stopped_well(agent, most=5.0):
    status, seconds = agent.stop(most + 10)
    assert status == 0, (status, agent.read_log()[-3000:])
    assert seconds < most, f"it took {seconds:.2f} s to stop"
    return seconds


def test_sigterm_at_random_moments_under_load():
    files, stops = count(600), count(50)
    chance = random.Random(SEED)
    with Scratch(MEMORY) as home, ApiServer("--latency", "lognormal:300:1.2:3",
                                      "--output-bytes", "200000") as server:
        # A request now and then hangs: a big one amid its upload, a small one without an answer.
        server.faults("try=1 p=0.06 stall-upload at=0.5\n")
        agent = agent_on(home, server, concurrency=8)
        made = {}
        for i in range(files):
            data = png(16, 16, i) if i % 20 else big_file(8_000_000, i)
            drop(home / "in", f"{i}.png", data)
            made[f"{i}.webp"] = sha256(data)
        times = []
        with OutboxReader(home / "out") as reader:
            for _ in range(stops):
                agent.start(wait=False)
                eventually(lambda: holds_the_lock(agent), 30, "the lock")
                time.sleep(chance.uniform(0.0, 1.5))
                times.append(stopped_well(agent))
            server.latency("0")
            server.faults("")
            done = agent.run_once()
        assert done.returncode == 0, (done.stdout, done.stderr[-3000:])
        found = {p.name: input_of(p.read_bytes(), "webp") for p in (home / "out").iterdir()}
        assert leftovers(home / "out") == [] and found == made
        assert reader.torn == [], reader.torn[:5]
        check_all_delivered(agent, files)
        bill = check_bill(server, files)
        outcomes = dict(ledger_rows(agent, "SELECT outcome, count(*) FROM run GROUP BY outcome"))
        assert outcomes == {"stopped": stops + 1}, outcomes
        print(f"  seed {SEED}: {stops} stops, slowest {max(times):.2f} s, "
              f"mean {sum(times) / stops:.2f} s; {bill['posts']} posts, {bill['replays']} replays")


def test_an_upload_that_is_not_whole_ends_at_once():
    with Scratch(MEMORY) as home, ApiServer() as server:
        server.faults("stall-upload at=0.2\n")
        agent = agent_on(home, server, timeout="60s", max_size="200MB")
        drop(home / "in", "big.png", big_file(100_000_000))
        agent.start(wait=False)
        eventually(lambda: server.bill()["open"] == 1, 60, "the upload")
        time.sleep(0.5)  # the server's behaviour: it reads a fifth and stops
        seconds = stopped_well(agent, 3.0)  # an answer would be waited for as long
        assert server.bill()["complete"] == 0
        rows = ledger_rows(agent, "SELECT kind, billing FROM attempt")
        assert rows == [("stopped", 0)], rows
        print(f"  stopped after {seconds:.2f} s amid an upload of 100 MB")


def test_an_answer_under_way_is_waited_for():
    with Scratch(MEMORY) as home, ApiServer() as server:
        agent = agent_on(home, server)
        drop(home / "in", "a.png", png(8, 8, 1))
        server.hold()
        agent.start(wait=False)
        eventually(lambda: server.bill()["complete"] == 1, 60, "the request")
        agent.process.send_signal(signal.SIGTERM)
        eventually(lambda: "millrace stops" in agent.read_log(), 30, "the stop")
        server.release()
        assert agent.process.wait(15) == 0, agent.read_log()[-3000:]
        assert [p.name for p in (home / "out").iterdir()] == ["a.webp"]
        check_all_delivered(agent, 1)


def test_an_answer_that_takes_too_long_is_left_and_asked_for_again():
    with Scratch(MEMORY) as home, ApiServer("--latency-ms", "8000") as server:
        agent = agent_on(home, server)
        drop(home / "in", "a.png", png(8, 8, 1))
        agent.start(wait=False)
        eventually(lambda: server.bill()["complete"] == 1, 60, "the request")
        seconds = stopped_well(agent)
        assert 2.5 < seconds, seconds
        assert list((home / "out").iterdir()) == []
        assert ledger_rows(agent, "SELECT kind, billing FROM attempt") == [("stopped", 2)]
        done = agent.run_once()
        assert done.returncode == 0, done.stderr
        check_all_delivered(agent, 1)
        check_bill(server, 1)


main(globals())
