"""A result that is paid for and whole, but cannot be renamed into place."""

import os
import signal

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


def test_a_paid_result_that_is_kept_outlives_the_agent():
    """[F2] [G1]: no rename succeeds until the agent is killed and started again."""
    with Scratch() as home, ApiServer() as server:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        agent = Agent(home / "a", folder_toml("pictures", inbox, outbox),
                      converter_toml(server.url),
                      prefix=["strace", "-f", "-qq", "-o", str(home / "trace"), "-e",
                              "trace=renameat2", "-e", "inject=renameat2:error=EROFS"])
        with agent:
            agent.start()
            drop(inbox, "a.png", png(8, 8, 1))
            eventually(lambda: agent.folder("pictures").get("blocked"), 120, "the trouble")
            eventually(lambda: agent.folder("pictures")["waiting"] == 1, 30, "its record")
            os.kill(int((agent.state / "lock").read_text()), signal.SIGKILL)
            agent.process.wait(10)
            kept = [made.name for made in outbox.iterdir()]
            assert len(kept) == 1 and kept != ["a.webp"], kept
            agent.prefix = []
            agent.start()
            eventually(lambda: agent.folder("pictures")["delivered"] == 1, 30, "the kept result")
            assert server.bill()["posts"] == 1, server.bill()
            assert [made.name for made in outbox.iterdir()] == ["a.webp"]


main(globals())
