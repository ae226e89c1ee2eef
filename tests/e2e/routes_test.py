"""Real pictures of many formats through the embedded converter."""

import json
import os
import signal
import subprocess

from harness import LONG, Agent, Scratch, count, eventually, folder_toml, main
from pictures import KINDS, kind_of, picture, size_of

INPUTS = ("png", "jpg", "webp", "gif", "tiff", "ppm", "svg", "avif", "jp2", "pdf",
          "bmp", "ico")
SUBFOLDERS = ("monday", "tuesday/scans", "wednesday")


def files_below(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


def requests(agent):
    return agent.command("status")["connections"]["requests"]


def make_pictures(home, files):
    """By relative name below the inbox: where it was made, and its size."""
    aside = home / "aside"
    aside.mkdir()
    made = {}
    for i in range(files):
        kind = INPUTS[i % len(INPUTS)]
        size = (40 + i % 7, 30 + i % 5)
        path = picture(kind, *size, i, aside)
        made[f"{SUBFOLDERS[i % len(SUBFOLDERS)]}/{path.name}"] = (path, size)
    return made


def test_pictures_of_twelve_formats_in_three_subfolders():
    files = count(300)
    with Scratch() as home:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        made = make_pictures(home, files)
        folders = folder_toml("pictures", inbox, outbox, via="local")
        folders += "options = { dpi = 72 }\n"
        with Agent(home / "a", folders) as agent:
            agent.start()
            for name, (path, _) in made.items():
                (inbox / name).parent.mkdir(parents=True, exist_ok=True)
                path.rename(inbox / name)
            eventually(lambda: agent.all_done("pictures", files), 240, "every picture")
            row = agent.folder("pictures")
            assert row["delivered"] == files and row["failed"] == 0, row
            assert requests(agent) == files
            results = files_below(outbox)
            assert len(results) == files, len(results)
            for name, (_, size) in made.items():
                result = outbox / (name.rsplit(".", 1)[0] + ".webp")
                assert kind_of(result.read_bytes()) == "webp", result
                assert size_of(result) == size, (result, size_of(result), size)
            assert agent.stop()[0] == 0
            nothing_left(agent, home, outbox)

            agent.start()
            eventually(lambda: agent.folder("pictures")["health"]["scans"] >= 1, 60, "the scan")
            agent.command("rescan")
            eventually(lambda: agent.folder("pictures")["health"]["scans"] >= 2, 60, "the rescan")
            eventually(lambda: agent.all_done("pictures", files), 60, "rest")
            assert requests(agent) == 0
            assert agent.stop()[0] == 0
            assert files_below(outbox) == results


def nothing_left(agent, home, outbox):
    """No temporary beside the results, nothing in scratch, no socket of the embedded server."""
    assert all(p.suffix == ".webp" and not p.name.startswith(".") for p in files_below(outbox))
    scratch = agent.state / "scratch"
    assert not files_below(scratch), files_below(scratch)
    assert not list((home / "a" / "r").rglob("serve-*")), "a socket is left"


def serve_child(agent):
    """Process ids of `millrace serve` below the agent."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if b"serve" in words[1:2] and str(agent.state).encode() in b" ".join(words):
            found.append(int(pid))
    return found


def renderers(agent):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            continue
        if b"millrace-render" in line and str(agent.state).encode() in line:
            found.append(int(pid))
    return found


def local_agent(home, **keys):
    inbox, outbox = home / "in", home / "out"
    inbox.mkdir()
    outbox.mkdir()
    return Agent(home / "a", folder_toml("pictures", inbox, outbox, via="local", **keys)), inbox


def drop_pictures(home, inbox, numbers):
    aside = home / "made"
    aside.mkdir(exist_ok=True)
    for i in numbers:
        path = picture("png", 32, 24, i, aside)
        path.rename(inbox / path.name)


def test_conversions_go_on_when_the_embedded_server_or_a_worker_is_killed():
    with Scratch() as home:
        agent, inbox = local_agent(home)
        with agent:
            agent.start()
            drop_pictures(home, inbox, range(5))
            eventually(lambda: agent.all_done("pictures", 5), 60, "the first")
            old = serve_child(agent)
            assert len(old) == 1, old
            drop_pictures(home, inbox, range(5, 25))
            os.kill(old[0], signal.SIGKILL)
            eventually(lambda: agent.all_done("pictures", 25), 120, "the rest")
            new = eventually(lambda: [pid for pid in serve_child(agent) if pid not in old], 60,
                             "another server")
            assert len(new) == 1, (old, new)
            for pid in renderers(agent):
                os.kill(pid, signal.SIGKILL)
            drop_pictures(home, inbox, range(25, 30))
            eventually(lambda: agent.all_done("pictures", 30), 120, "after the workers died")
            assert agent.folder("pictures")["delivered"] == 30, agent.folder("pictures")


def test_nothing_of_it_outlives_the_agent():
    with Scratch() as home:
        agent, inbox = local_agent(home)
        with agent:
            agent.start()
            drop_pictures(home, inbox, range(3))
            eventually(lambda: agent.all_done("pictures", 3), 60, "the pictures")
            assert serve_child(agent) and renderers(agent)
            agent.kill()
            eventually(lambda: not serve_child(agent) and not renderers(agent), 10, "the end")
            # A leftover of the killed one goes with the next start.
            stale = agent.state / "scratch" / "in-77"
            stale.write_bytes(b"left behind")
            agent.start()
            assert not stale.exists()
            assert agent.stop()[0] == 0
            eventually(lambda: not serve_child(agent) and not renderers(agent), 30, "the end")
            assert not files_below(agent.state / "scratch")


def test_what_formats_promises_is_what_convert_does():
    """`convert` to every target, also from bmp and ico, which our own decoders read."""
    with Scratch() as home:
        (home / "in").mkdir()
        kinds = KINDS if LONG else ("png", "pdf", "jxl", "bmp", "ico")
        for i, kind in enumerate(kinds):
            picture(kind, 48, 32, i, home / "in").rename(home / "in" / f"{kind}.{kind}")
        agent = Agent(home / "a", "")
        table = {row["from"]: row["to"] for row in agent.command("formats")["routes"]}
        assert set(KINDS) == set(table), table
        targets = sorted({to for row in table.values() for to in row})
        assert targets == sorted("avif gif heic jp2 jpg jxl pdf png tiff webp".split()), targets
        done = subprocess.run(
            [os.environ["MILLRACE"], "convert", str(home / "in"), "--to", ",".join(targets),
             "--out", str(home / "out"), "--options", "dpi=72", "--json"], env=agent.environment,
            capture_output=True, text=True, timeout=240)
        summary = json.loads(done.stdout.splitlines()[-1])
        assert done.returncode == 0 and summary["failed"] == 0, (summary, done.stderr)
        assert summary["delivered"] == len(kinds) * len(targets), summary
        for result in files_below(home / "out"):
            assert kind_of(result.read_bytes()[:32]) == result.suffix[1:], result
            assert size_of(result) == (48, 32), (result, size_of(result))


main(globals())
