"""What an API says about names and links is never believed and never kept: no header names a file,
and a presigned link that an error quotes loses its query before anybody reads it."""

import os
import subprocess
from pathlib import Path

from books import expect_right
from harness import (MILLRACE, Agent, ApiServer, Scratch, converter_toml, drop, eventually,
                     folder_toml, main, png)

# Names that a header may give, each with the mark by which it would be found anywhere.
MARK = f"evil-{os.getpid()}"
NAMES = (
    f"../../{MARK}", f"..\\..\\{MARK}", f"/tmp/{MARK}", f"C:\\{MARK}", f"f:{MARK}",
    f"0.webp:{MARK}", f"CON.{MARK}", f"{MARK}.exe", f".{MARK}", f"~/{MARK}", f"%2e%2e%2f{MARK}",
    f"{MARK}%00.webp", f"file:///tmp/{MARK}", f"{MARK}::$DATA",
)
HEADERS = (
    'Content-Disposition:attachment;filename="{}"',
    "Content-Disposition:attachment;filename={}",
    "Content-Disposition:attachment;filename*=UTF-8''{}",
    "Content-Location:{}",
    "Location:{}",
)

CANARY = "CANARY-44b1f0e6"
LINK = f"https://bucket.s3.amazonaws.com/in/a.png?X-Amz-Credential={CANARY}&X-Amz-Signature={CANARY}"


def named_after_headers(home):
    """Where a mark shows as a name: beneath `home`, beside it, and where the agent was started."""
    places = [*home.rglob("*"), *home.parent.iterdir(), *Path.cwd().iterdir()]
    return [str(path) for path in places if MARK in path.name]


def answers_with_names():
    lines = [f"seq={i + 1} ok header={header.format(name)}" for i, (name, header) in
             enumerate((name, header) for name in NAMES for header in HEADERS)]
    return "\n".join(lines), len(lines)


def test_no_header_names_a_file_and_its_end_is_the_target_K8():
    script, files = answers_with_names()
    with Scratch() as home, ApiServer() as api:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        with Agent(home / "a", folder_toml("p", inbox, outbox), converter_toml(api.url)) as agent:
            api.faults(script)
            agent.start()
            for i in range(files):
                drop(inbox, f"{i}.png", png(8, 8, i))
            eventually(lambda: agent.all_done("p", files), 60, "every file")
            expect_right(inbox, outbox)
            assert agent.stop()[0] == 0
        assert not named_after_headers(home), named_after_headers(home)
        assert {path.suffix for path in outbox.iterdir()} == {".webp"}


def test_a_batch_that_writes_beside_its_sources_names_them_itself_K8():
    script, files = answers_with_names()
    with Scratch() as home, ApiServer() as api:
        sources = home / "pictures"
        sources.mkdir()
        for i in range(files):
            (sources / f"{i}.png").write_bytes(png(8, 8, i))
        agent = Agent(home / "a", "", converter_toml(api.url))
        api.faults(script)
        done = subprocess.run([MILLRACE, "convert", str(sources), "--to", "webp", "--via", "api",
                               "--config", str(agent.config)], cwd=home, env=agent.environment,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert not named_after_headers(home), named_after_headers(home)
        found = {path.name for path in sources.iterdir()}
        assert found == {f"{i}.{end}" for i in range(files) for end in ("png", "webp")}, found


def test_a_redirect_names_no_file_and_is_not_followed_K8():
    with Scratch() as home, ApiServer() as api, ApiServer() as other:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        api.faults("\n".join(f"seq={i + 1} redirect={status} to=http://127.0.0.1:{other.port}/"
                             f"../../{MARK}" for i, status in enumerate((301, 302, 303, 307, 308))))
        with Agent(home / "a", folder_toml("p", inbox, outbox),
                   converter_toml(api.url, concurrency=1)) as agent:
            agent.start()
            drop(inbox, "a.png", png(8, 8, 1))

            def finished():
                if agent.command("status")["converters"][0]["state"] == "stopped":
                    agent.command("resume", "api")
                return agent.all_done("p", 1)
            eventually(finished, 60, "the file")
            expect_right(inbox, outbox)
        assert api.bill()["posts"] == 6 and other.bill()["posts"] == 0
        assert not named_after_headers(home), named_after_headers(home)


def leaks(home):
    return [str(path) for path in home.rglob("*")
            if path.is_file() and CANARY.encode() in path.read_bytes()]


def test_a_presigned_link_in_an_error_leaves_no_query_anywhere_M3():
    """Log, ledger, status, failures, explain, and the note beside a quarantined file."""
    with Scratch() as home, ApiServer() as api:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        with Agent(home / "a", folder_toml("p", inbox, outbox, failed="quarantine"),
                   converter_toml(api.url, concurrency=1),
                   agent='log_level = "debug"') as agent:
            api.faults(f"seq=1 status=422 message=cannot_fetch_{LINK}_now\n"
                       f"seq=2 status=422 code={LINK} message={LINK}\n"
                       f"seq=3 status=500 message={LINK}\n"
                       f"seq=4 status=503 message={LINK} retry-after=1\n"
                       f"seq=5 redirect=307 to={LINK}\n"
                       f"seq=6 status=422 body=text message={LINK}\n"
                       f"seq=7 ok header=Content-Location:{LINK}\n")
            agent.start()
            for i in range(4):
                drop(inbox, f"{i}.png", png(8, 8, i))

            heard = ""

            def finished():
                nonlocal heard
                heard += str(agent.command("status"))
                if agent.command("status")["converters"][0]["state"] == "stopped":
                    agent.command("resume", "api")
                return agent.all_done("p", 4)
            eventually(finished, 60, "every file")
            for words in (("status",), ("failures",), ("check",),
                          *(("explain", str(inbox / f"{i}.png")) for i in range(4))):
                heard += str(agent.command(*words))
            assert CANARY not in heard, heard[max(0, heard.find(CANARY) - 300):][:600]
            assert not leaks(home), leaks(home)
            # What is no secret is still told, to a person and beside the file.
            assert "cannot fetch https://bucket.s3.amazonaws.com/in/a.png?(hidden) now" in heard
            notes = list(home.rglob("*.error.json"))
            assert len(notes) == 2, notes
            assert any("in/a.png?(hidden)" in note.read_text() for note in notes)
            assert agent.stop()[0] == 0
        assert not leaks(home), leaks(home)


if __name__ == "__main__":
    main(globals())
