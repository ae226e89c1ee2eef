"""A result that is paid for and whole, but cannot be renamed into place."""

import os
import signal
from contextlib import contextmanager

from harness import (Agent, ApiServer, Scratch, converter_toml, drop, eventually, folder_toml,
                     main, png)


def test_a_paid_result_that_cannot_be_published_is_kept_and_not_paid_again():
    """[F2]: the first rename of each thread fails as on a read-only file system."""
    with Scratch() as home, ApiServer() as server:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        agent = Agent(home / "a", folder_toml("pictures", inbox, outbox),
                      converter_toml(server.url), agent="workers = 2",
                      prefix=["strace", "-f", "-qq", "-o", str(home / "trace"), "-e",
                              "trace=renameat2", "-e", "inject=renameat2:error=EROFS:when=1"])
        with agent:
            agent.start()
            drop(inbox, "a.png", png(8, 8, 1))
            eventually(lambda: (outbox / "a.webp").exists(), 120, "the kept result")
            eventually(lambda: agent.folder("pictures")["delivered"] == 1, 30, "its record")
            assert "INJECTED" in (home / "trace").read_text()
            assert server.bill()["posts"] == 1, server.bill()
            assert [made.name for made in outbox.iterdir()] == ["a.webp"]
            # The agent itself: what strace leaves behind when it is killed goes on running.
            os.kill(int((agent.state / "lock").read_text()), signal.SIGTERM)
            assert agent.process.wait(10) == 0


@contextmanager
def kept_and_killed(names, before_the_kill=lambda agent: None):
    """An agent that was killed while it had a result of each file that no rename publishes."""
    with Scratch() as home, ApiServer() as server:
        inbox, outbox = home / "in", home / "out"
        (inbox / "sub").mkdir(parents=True)
        outbox.mkdir()
        agent = Agent(home / "a", folder_toml("pictures", inbox, outbox), converter_toml(server.url),
                      prefix=["strace", "-f", "-qq", "-o", str(home / "trace"), "-e",
                              "trace=renameat2", "-e", "inject=renameat2:error=EROFS"])
        with agent:
            agent.start()
            for seed, name in enumerate(names):
                drop((inbox / name).parent, name.rpartition("/")[2], png(8, 8, seed))
            eventually(lambda: agent.folder("pictures").get("blocked"), 120, "the trouble")
            eventually(lambda: agent.folder("pictures")["waiting"] == len(names) and
                       server.bill()["posts"] == len(names), 60, "the results")
            before_the_kill(agent)
            os.kill(int((agent.state / "lock").read_text()), signal.SIGKILL)
            agent.process.wait(10)
            agent.prefix = []
            yield agent, server, inbox, outbox


def files_in(outbox):
    return sorted(str(path.relative_to(outbox)) for path in outbox.rglob("*") if path.is_file())


def test_a_paid_result_that_is_kept_outlives_the_agent():
    """[F2] [G1]"""
    with kept_and_killed(["a.png"]) as (agent, server, _, outbox):
        kept = files_in(outbox)
        assert len(kept) == 1 and kept != ["a.webp"], kept
        agent.start()
        eventually(lambda: agent.folder("pictures")["delivered"] == 1, 30, "the kept result")
        assert server.bill()["posts"] == 1, server.bill()
        assert files_in(outbox) == ["a.webp"]


def test_a_paid_result_that_is_kept_outlives_the_agent_and_a_missing_outbox():
    """[F2] [G1]: its job is tried while there is no outbox, before the agent dies and after it."""
    def take_the_outbox_away(agent):
        home = agent.config.parent.parent
        (home / "out").rename(home / "away")
        eventually(lambda: "does not exist" in agent.folder("pictures").get("blocked", "") or
                   "no such" in agent.folder("pictures").get("blocked", "").lower(), 60, "the trouble")

    with kept_and_killed(["a.png"], take_the_outbox_away) as (agent, server, _, outbox):
        agent.start()
        eventually(lambda: "blocked" in agent.folder("pictures"), 30, "the missing outbox")
        told = str(agent.command("explain", str(outbox.parent / "in" / "a.png"))["says"])
        assert "the folder is held back: waits until its outbox" in told, told
        (outbox.parent / "away").rename(outbox)
        eventually(lambda: agent.folder("pictures")["delivered"] == 1, 60, "the kept result")
        assert server.bill()["posts"] == 1, server.bill()
        assert files_in(outbox) == ["a.webp"]


if __name__ == "__main__":
    main(globals())
