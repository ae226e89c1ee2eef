"""An inbox inside a cloud drive: some files have no bytes on this machine, and reading them fails
with EDEADLK, as it does for a service on macOS. They are left out with one warning, the others are
converted, and once the bytes have come so are they. Needs strace."""

from books import expect_books_agree
from harness import (Agent, ApiServer, Scratch, converter_toml, drop, eventually, folder_toml, main,
                     png)

AWAY, HERE = 20, 5


def reading_fails(paths):
    """A prefix under which these files cannot be read; the tracer is no parent of the agent."""
    only = [word for path in paths for word in ("-P", str(path))]
    return ["strace", "-D", "-f", "-qq", "-o", "/dev/null", *only, "-e", "trace=pread64,read",
            "-e", "inject=pread64,read:error=EDEADLK"]


def test_files_in_the_cloud_are_left_out_and_taken_when_they_come_A15():
    with Scratch() as home, ApiServer() as api:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        away = [inbox / f"away-{i}.png" for i in range(AWAY)]
        for i in range(AWAY + HERE):
            name = away[i].name if i < AWAY else f"here-{i}.png"
            drop(inbox, name, png(8, 8, i))
        with Agent(home / "a", folder_toml("p", inbox, outbox), converter_toml(api.url)) as agent:
            agent.prefix = reading_fails(away)
            agent.start()
            eventually(lambda: agent.all_done("p", HERE), 30, "the files that are here")

            def explained(path):
                return agent.command("explain", str(path))["says"]
            eventually(lambda: all("in the cloud only" in str(explained(path)) for path in away),
                       30, "the reason")
            eventually(lambda: "left out" in agent.read_log(), 30, "the warning")
            agent.command("rescan", "p")
            warnings = [line for line in agent.read_log().splitlines() if "in the cloud" in line]
            assert len(warnings) == 1 and f"files={AWAY} " in warnings[0], warnings
            assert "Always keep on this device" in warnings[0], warnings
            assert agent.folder("p")["failed"] == 0 and api.bill()["posts"] == HERE
            agent.stop()
            # Another start without the tracer is another day, on which the bytes are here.
            agent.prefix = []
            agent.start()
            eventually(lambda: agent.all_done("p", AWAY + HERE), 30, "all files")
            expect_books_agree(api, agent.state / "ledger.db", AWAY + HERE)


if __name__ == "__main__":
    main(globals())
