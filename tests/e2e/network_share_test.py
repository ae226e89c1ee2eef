"""A ledger on a network share is refused before anything is written there: locks and the shared
memory of its write-ahead log do not work on one. Every statfs(2) that asks for the state folder is
answered as a share's kernel would. Needs strace."""

import subprocess

from harness import MILLRACE, Agent, ApiServer, Scratch, converter_toml, folder_toml, main, png

# Name -> the first eight bytes of struct statfs: f_type, little-endian (statfs(2)).
SHARES = {"nfs": "6969000000000000", "cifs": "424d53ff00000000", "9p": "9719020100000000"}


def as_if_on(share, folder=None):
    """A prefix under which statfs tells of that share, for this folder or for every one."""
    only = ["-P", str(folder)] if folder else []
    return ["strace", "-f", "-qq", "-o", "/dev/null", *only, "-e", "trace=statfs", "-e",
            f"inject=statfs:poke_exit=@arg2={SHARES[share]}"]


def refused(agent, done):
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "is on a network file system" in done.stderr, done.stderr
    assert "set state_dir to a local folder" in done.stderr, done.stderr
    left = [path for path in agent.state.rglob("*") if path.is_file()]
    assert not left, left


def test_an_agent_whose_ledger_lies_on_a_share_does_not_start_C7():
    with Scratch() as home, ApiServer() as server:
        (home / "in").mkdir()
        (home / "out").mkdir()
        (home / "in" / "a.png").write_bytes(png(8, 8, 1))
        agent = Agent(home / "a", folder_toml("pictures", home / "in", home / "out",
                                              settle="100ms", poll="100ms"),
                      converter_toml(server.url))
        for share in SHARES:
            agent.prefix = as_if_on(share, agent.state)
            refused(agent, agent.run_once(timeout=60))
            found = subprocess.run(
                [*agent.prefix, MILLRACE, "check", "--config", str(agent.config)],
                env=agent.environment, capture_output=True, text=True, timeout=60)
            assert found.returncode == 2, found.stdout
            assert "where a ledger breaks" in found.stdout, found.stdout
        assert server.bill()["posts"] == 0
        # The same inbox and the same share elsewhere: only the ledger's place decides.
        agent.prefix = as_if_on("nfs", home / "in")
        done = agent.run_once(timeout=60)
        assert done.returncode == 0, done.stderr
        assert server.bill()["billed"] == 1


def test_a_batch_keeps_no_ledger_on_a_share_either_C7():
    with Scratch() as home, ApiServer() as server:
        source = home / "a.png"
        source.write_bytes(png(8, 8, 1))
        agent = Agent(home / "a", "", converter_toml(server.url))
        done = subprocess.run(
            [*as_if_on("nfs"), MILLRACE, "convert", str(source), "--to", "webp", "--via", "api",
             "--config", str(agent.config)],
            env=agent.environment, capture_output=True, text=True, timeout=60)
        refused(agent, done)
        assert server.bill()["posts"] == 0


if __name__ == "__main__":
    main(globals())
