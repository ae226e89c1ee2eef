"""Kill -9 at random moments, and death before every numbered state-changing call: nothing lost,
torn, left over, or billed twice. Rows G1, G2, G4, G5, G6, F12, F13."""

import random
import subprocess

from ending import (OutboxReader, check_all_delivered, check_bill, input_of, leftovers,
                    ledger_rows, sha256)
from harness import (LONG, Agent, ApiServer, Scratch, converter_toml, count, drop, eventually,
                     folder_toml, main, png)

SEED = 20260729
DIED = 137  # what a crash point ends the process with


def killed_run(agent, after):
    """`millrace run`, killed after so many seconds; True if it had not ended by itself."""
    agent.start(wait=False)
    try:
        agent.process.wait(after)
        raise AssertionError(f"the agent ended by itself: {agent.read_log()[-3000:]}")
    except subprocess.TimeoutExpired:
        agent.kill()


def ledger_progress(agent):
    try:
        return ledger_rows(agent, "SELECT count(*) FROM job WHERE state='delivered'")[0][0]
    except Exception:  # the ledger is not made yet
        return 0


def kill_many_times(agent, kills, files, chance):
    """Kills between the first call and a moment well within the work, so that the work lasts."""
    longest, shown = 1.0, 0
    for kill in range(kills):
        killed_run(agent, chance.uniform(0.0, longest))
        done = ledger_progress(agent)
        # The pace is held so that the files are used up by the last kill, however busy the machine.
        behind = done / files < (kill + 1) / kills
        longest = min(3.0, longest * 1.1) if behind else max(0.3, longest / 1.1)
        shown = done
    return shown


def test_kill_9_at_random_moments_loses_tears_and_bills_nothing_twice():
    """[F13] as well: a reader opens everything in the outbox all the time."""
    files, kills = count(1000), count(500)
    chance = random.Random(SEED)
    with Scratch() as home, ApiServer("--latency", "lognormal:200:0.8:7",
                                      "--output-bytes", "40000") as server:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        made = {}
        for i in range(files):
            data = png(40, 40, i)
            stem = f"{i % 7}/{i}" if i % 3 else str(i)
            (inbox / stem).parent.mkdir(exist_ok=True)
            (inbox / f"{stem}.png").write_bytes(data)  # no agent runs yet
            made[f"{stem}.webp"] = sha256(data)
        agent = Agent(home / "a", folder_toml("f", inbox, outbox, settle="0s"),
                      converter_toml(server.url, concurrency=4))
        with OutboxReader(outbox) as reader:
            done = kill_many_times(agent, kills, files, chance)
            cut = ledger_rows(agent, "SELECT count(*) FROM attempt WHERE ended=0")[0][0]
            after = agent.run_once()
        assert after.returncode == 0, (after.returncode, after.stdout, after.stderr[-3000:])
        found = {str(p.relative_to(outbox)): input_of(p.read_bytes(), "webp")
                 for p in outbox.rglob("*") if p.is_file()}
        assert leftovers(outbox) == [], leftovers(outbox)
        assert found == made, set(found.items()) ^ set(made.items())
        assert reader.torn == [], reader.torn[:5]
        check_all_delivered(agent, files)
        bill = check_bill(server, files)
        attempts = ledger_rows(agent, "SELECT count(*) FROM attempt")[0][0]
        assert bill["posts"] <= attempts, (bill, attempts)
        print(f"  seed {SEED}: {kills} kills, {done} of {files} done before the last run, {cut} "
              f"attempts cut off, {bill['posts']} posts, {bill['replays']} replays, "
              f"{reader.reads} whole files read meanwhile")
        assert cut > kills / 10, "too few kills met a conversion"


class Case:
    """One way through a conversion, run from scratch for every crash point."""

    def __init__(self, name, to=("webp",), script="", prepare=None, **keys):
        self.name, self.to, self.script, self.prepare, self.keys = name, to, script, prepare, keys
        self.left_behind = 0  # temporaries that deaths left, for the next run to remove

    def agent(self, home, server):
        for folder in ("in", "out"):
            (home / folder).mkdir()
        folders = folder_toml("f", home / "in", home / "out", settle="0s", **self.keys)
        targets = ", ".join(f'"{target}"' for target in self.to)
        return Agent(home / "a", folders.replace('to = ["webp"]', f"to = [{targets}]"),
                     converter_toml(server.url))


def every_leftover(home):
    return leftovers(home / "in", home / "out", home / "archive", home / "failed")


def first_version(agent, home):
    """A delivered first version, whose source is replaced by a second one."""
    drop(home / "in", "a.png", png(8, 8, 1))
    done = agent.run_once()
    assert done.returncode == 0, done.stderr
    drop(home / "in", "a.png", png(9, 9, 2))


def die_at(agent, n):
    agent.environment["MILLRACE_DIE_AT"] = str(n)
    done = agent.run_once()
    del agent.environment["MILLRACE_DIE_AT"]
    assert done.returncode in (0, 1, DIED), (n, done.returncode, done.stderr[-2000:])
    return done.returncode == DIED


def check_outputs(case, home, last):
    out = {p.name: input_of(p.read_bytes(), p.suffix[1:]) for p in (home / "out").iterdir()}
    assert out == {f"a.{target}": sha256(last) for target in case.to}, out


def check_source(case, home, last):
    inbox = [p.name for p in (home / "in").iterdir()]
    after = case.keys.get("after", "keep")
    if case.keys.get("failed") == "quarantine":
        assert inbox == [], inbox
        there = sorted(p.name for p in (home / "failed").iterdir())
        assert there == ["a.png", "a.png.error.json"], there
        assert (home / "failed" / "a.png").read_bytes() == last
    elif after == "archive":
        assert inbox == [], inbox
        there = {p.name: p.read_bytes() for p in (home / "archive").iterdir()}
        assert there == {"a.png": last}, there.keys()
    else:
        assert inbox == ([] if after == "delete" else ["a.png"]), inbox


def one_death(case, server, n):
    """True if the run with MILLRACE_DIE_AT=n died; whatever it did, all must be well afterwards."""
    with Scratch() as home:
        agent = case.agent(home, server)
        last = png(9, 9, 2)
        if case.prepare:
            case.prepare(agent, home)
        else:
            drop(home / "in", "a.png", last)
        died = die_at(agent, n)
        case.left_behind += len(every_leftover(home))
        end = agent.run_once()
        fails = bool(case.script)
        assert end.returncode == 0 or fails, (end.returncode, end.stdout, end.stderr[-2000:])
        if fails:
            assert not list((home / "out").iterdir())
        else:
            check_outputs(case, home, last)
        check_source(case, home, last)
        assert every_leftover(home) == []
        expected = "failed" if fails else "delivered"
        states = {row[0] for row in ledger_rows(agent, "SELECT state FROM job")}
        assert states == {expected}, states
        due = ledger_rows(agent, "SELECT count(*) FROM source_version WHERE action='due'")
        assert due == [(0,)], "the source's action is still open"
        check_bill(server, 0 if fails else len(case.to) + (1 if case.prepare else 0))
        return died


def death_of(case, n):
    with ApiServer() as server:
        if case.script:
            server.faults(case.script)
        try:
            return one_death(case, server, n)
        except AssertionError as bad:
            raise AssertionError(f"{case.name}, death at call {n}: {bad}") from bad


def every_death(case):
    deaths = 0
    # Threads race, so that the n-th call is not always the same one: the full run asks four times.
    for _ in range(4 if LONG else 1):
        n = 1
        while death_of(case, n):
            n += 1
        deaths += n - 1
    assert deaths >= 20, f"only {deaths} deaths"
    assert case.left_behind > 0, "no death left a temporary: the check of leftovers is blind"
    print(f"  {case.name}: {deaths} deaths, one before each call that changes something; "
          f"{case.left_behind} temporaries left and removed")


def wait_for_the_outbox(agent, home, server, reload):
    """The agent runs while its outbox is away, and then it is back."""
    away = home / "away"
    (home / "out").rename(away)
    posts = server.bill()["posts"]
    agent.start()
    eventually(lambda: "can be looked through" in agent.folder("f").get("blocked", ""), 30,
               "a folder that waits for its outbox")
    if reload:
        agent.config.write_text(agent.config.read_text().replace('"0s"', '"1ms"'))
        agent.command("reload")
        eventually(lambda: "can be looked through" in agent.folder("f").get("blocked", ""), 30,
                   "a changed folder that waits for its outbox")
    assert server.bill()["posts"] == posts, "a file was sent while nobody knew what is there"
    away.rename(home / "out")
    eventually(lambda: agent.all_done("f", 1), 30, "the delivery")
    status, _ = agent.stop()
    assert status == 0, status


def test_an_outbox_that_is_away_at_the_start_is_looked_through_when_it_is_back():
    """[C4] [F12] [G4]: what was published is not taken for somebody else's, no temporary stays."""
    case, n, waits, died = Case("keep"), 0, 0, True
    while died:
        n += 1
        with Scratch() as home, ApiServer() as server:
            agent = case.agent(home, server)
            drop(home / "in", "a.png", png(9, 9, 2))
            died = die_at(agent, n)
            if not died or not list((home / "out").iterdir()):
                continue
            waits += 1
            with agent:
                wait_for_the_outbox(agent, home, server, reload=waits % 2 == 0)
            check_outputs(case, home, png(9, 9, 2))
            check_all_delivered(agent, 1)
            check_bill(server, 1)
    assert waits >= 4, waits
    print(f"  {n - 1} deaths, {waits} of them with something in the outbox that was away")


REFUSED = "status=422 code=bad_file message=broken\n"


def test_death_at_every_call_with_the_source_kept():
    every_death(Case("keep"))


def test_death_at_every_call_with_after_archive():
    every_death(Case("archive", after="archive"))


def test_death_at_every_call_with_after_delete():
    every_death(Case("delete", after="delete"))


def test_death_at_every_call_with_failed_quarantine():
    every_death(Case("quarantine", script=REFUSED, failed="quarantine"))


def test_death_at_every_call_of_a_replacement():
    every_death(Case("changed", prepare=first_version))


def test_death_at_every_call_with_two_targets():
    every_death(Case("two targets", to=("webp", "jpg"), after="archive"))


def test_the_checks_see_what_they_look_for():
    """The controls: a server that forgets its keys bills twice, and a cut file is torn."""
    case = Case("control")
    for n in range(1, 40):
        with ApiServer("--key-window-ms", "1") as server, Scratch() as home:
            agent = case.agent(home, server)
            drop(home / "in", "a.png", png(9, 9, 2))
            die_at(agent, n)
            agent.run_once()
            bill = server.bill()
            if bill["keys_billed_twice"]:
                whole = (home / "out" / "a.webp").read_bytes()
                break
    else:
        raise AssertionError("no death between request and record: the bill check is blind")
    for torn in (whole[:-1], whole[:20], b"", whole + b"."):
        try:
            input_of(torn, "webp")
        except AssertionError:
            continue
        raise AssertionError(f"{len(torn)} of {len(whole)} bytes count as whole")


main(globals())
