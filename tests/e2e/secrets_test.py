"""The API key shows nowhere: not in logs, the ledger, pages, notes, argument lists or core files.

As root it all runs as an unprivileged user: only then does the kernel show who may look into a
process.
"""

import os
import re
import stat
import subprocess
from pathlib import Path

from harness import (MILLRACE, Agent, ApiServer, Scratch, converter_toml, drop, eventually,
                     folder_toml, main, png)

KEY = "CANARY-5d0c81f7a2b94e36"
QUERY = "CANARYLINK-77ab0e"  # a token in the address of the API
NOBODY = 65534

# The API says the key back, in every kind of answer.
ECHO = f"""
seq=1 status=400 code=bad message=your_key_{KEY}_and_Bearer_{KEY}
seq=2 status=401 code=denied message=unknown_key_{KEY}
seq=3 status=500 code=oops message={KEY} header=X-Echo:{KEY}
seq=4 reset at=0.5
seq=5 html
seq=6 redirect=307 to=http://127.0.0.1:9/{KEY}?token={QUERY}
seq=7 status=503 body=text message={KEY} retry-after=1
"""


def leaks(home, kept_in=None):
    """Files beneath `home` that hold a secret, save the one that is its place."""
    found = []
    for path in Path(home).rglob("*"):
        if path.is_file() and path != kept_in:
            data = path.read_bytes()
            found += [f"{path}: {secret}" for secret in (KEY, QUERY) if secret.encode() in data]
    return found


def said(agent, *words):
    """Everything that a command says, both as text and as JSON."""
    both = ""
    for form in ((), ("--json",)):
        done = subprocess.run([MILLRACE, *words, *form, "--config", str(agent.config)],
                              env=agent.environment, capture_output=True, text=True, timeout=120)
        both += done.stdout + done.stderr
    return both


def processes(agent):
    """The agent and what it started."""
    pids = [agent.process.pid]
    for pid in pids:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            pids += [int(child) for child in children.read_text().split()]
    return pids


def check_process(pid):
    where = Path(f"/proc/{pid}")
    arguments = (where / "cmdline").read_bytes()
    assert KEY.encode() not in arguments and QUERY.encode() not in arguments, arguments
    core = re.search(r"Max core file size\s+(\S+)\s+(\S+)", (where / "limits").read_text())
    assert core.groups() == ("0", "0"), core[0]
    # What belongs to a process that is not dumpable belongs to root, proc(5).
    assert (where / "environ").stat().st_uid == 0, f"{pid} is dumpable"


def check_files(agent, home, kept_in):
    # The settings hold the address and the query in it; the key has a place of its own.
    found = [line for line in leaks(home, kept_in) if line != f"{agent.config}: {QUERY}"]
    assert not found, found


def run_with(home, key_toml, environment=None, kept_in=None, before=None):
    inbox, outbox = home / "in", home / "out"
    for folder in (inbox, outbox):
        folder.mkdir()
    with ApiServer("--require-token", KEY) as api:
        url = f"{api.url}?token={QUERY}"
        folders = folder_toml("p", inbox, outbox, failed="quarantine")
        with Agent(home / "a", folders, converter_toml(url) + key_toml,
                   agent='log_level = "debug"', environment=environment) as agent:
            if before:
                before(agent)
            api.faults(ECHO)
            agent.start()
            for i in range(6):
                drop(inbox, f"{i}.png", png(8, 8, i))

            def finished():
                for row in agent.command("status")["converters"]:
                    if row["state"] in ("stopped", "paused"):
                        agent.command("resume", "api")
                return agent.all_done("p", 6)

            eventually(finished, 120, "every file")
            watch(agent, home, inbox, kept_in)
            assert agent.stop()[0] == 0
        check_files(agent, home, kept_in)


def watch(agent, home, inbox, kept_in):
    for pid in processes(agent):
        check_process(pid)
    check_files(agent, home, kept_in)
    for words in (("status",), ("failures",), ("check",), ("formats",),
                  *(("explain", str(inbox / f"{i}.png")) for i in range(6))):
        answer = said(agent, *words)
        assert KEY not in answer and QUERY not in answer, (words, answer)
    assert agent.command("failures")["failures"], "no failure was provoked"


def test_a_key_of_the_environment_shows_nowhere_M1_G9():
    with Scratch() as home:
        run_with(home, 'api_key = { env = "THE_KEY" }\n', environment={"THE_KEY": KEY})


def test_a_key_of_a_file_shows_nowhere_M1_M2_G9():
    with Scratch() as home:
        place = home / "key.txt"
        place.write_text(KEY + "\n")
        place.chmod(0o600)
        run_with(home, f'api_key = {{ file = "{place}" }}\n', kept_in=place)


def test_a_key_of_the_secret_store_shows_nowhere_M1_G9():

    def store(agent):
        subprocess.run([MILLRACE, "secret", "set", "ctf", "--config", str(agent.config)],
                       input=KEY + "\n", text=True, check=True, env=agent.environment)

    with Scratch() as home:
        place = home / "a" / "secrets" / "ctf"
        run_with(home, 'api_key = { secret = "ctf" }\n', kept_in=place, before=store)
        assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_the_search_sees_a_key_that_shows():
    with Scratch() as home:
        (home / "a").mkdir()
        (home / "a" / "ledger.db").write_bytes(b"\0" + KEY.encode() + b"\0")
        assert len(leaks(home)) == 1
        assert not leaks(home, home / "a" / "ledger.db")


if __name__ == "__main__":
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    main(globals())
