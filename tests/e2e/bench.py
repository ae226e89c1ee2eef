"""An agent on a stand-in API of its own, with the folders that a test wants."""

from books import expect_books_agree, expect_right
from harness import Agent, ApiServer, Scratch, converter_toml, drop, eventually, folder_toml, png


class Bench:
    """`folders` are names; each has an inbox NAME-in and an outbox NAME-out. Further keywords are
    keys of the converter."""

    def __init__(self, *server_options, folders=("pictures",), user=0, **keys):
        self.scratch = Scratch()
        self.server = ApiServer(*server_options)
        self.home = self.scratch.path
        self.names = list(folders)
        for name in self.names:
            self.inbox(name).mkdir()
            self.outbox(name).mkdir()
        self.keys = {"account": "bench", "concurrency": 16, **keys}
        self.agent = Agent(self.home / "a", self.folders(), self.converter(), user=user)
        self.ledger = self.agent.state / "ledger.db"

    def inbox(self, name="pictures"):
        return self.home / f"{name}-in"

    def outbox(self, name="pictures"):
        return self.home / f"{name}-out"

    def folders(self):
        return "".join(folder_toml(name, self.inbox(name), self.outbox(name))
                       for name in self.names)

    def converter(self):
        return converter_toml(self.server.url, **self.keys)

    def write_config(self):
        self.agent.write_config(self.folders(), self.converter())

    def drop(self, files, name="pictures", size=0, first=0):
        for i in range(first, first + files):
            drop(self.inbox(name), f"{name}-{i}.png", png(8, 8, i) + name.encode() + bytes(size))

    def gate(self):
        return self.agent.command("status")["converters"][0]

    def gate_that_is(self, state, seconds=60):
        def look():
            gate = self.gate()
            return gate if gate["state"] == state else None
        return eventually(look, seconds, f"a converter that is {state}")

    def delivered(self, name, files, seconds=120):
        eventually(lambda: self.agent.folder(name)["delivered"] == files, seconds,
                   f"the delivery of {files} files of {name}")

    def finish(self, files, seconds=120):
        """All `files` of the first folder arrive, and the books agree."""
        self.delivered(self.names[0], files, seconds)
        return self.expect_all_right()

    def expect_all_right(self):
        total = 0
        for name in self.names:
            expect_right(self.inbox(name), self.outbox(name))
            total += len(list(self.inbox(name).iterdir()))
        return expect_books_agree(self.server, self.ledger, total)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(self.agent.read_log()[-2000:])
        self.agent.__exit__()
        self.server.stop()
        self.scratch.__exit__(kind, value, trace)
