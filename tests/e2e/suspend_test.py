"""A machine that falls asleep amid a conversion: the server gives up waiting, the agent wakes, and
the same key is sent again. One bill, and nothing is lost."""

import os
import select
import signal
import socket
import struct
import threading
import time
from pathlib import Path

from books import ask_ledger, expect_books_agree, expect_right
from harness import (Agent, ApiServer, Scratch, converter_toml, drop, eventually, folder_toml, main,
                     png)

PATIENCE = 0.5  # seconds of silence that the server bears
LARGE = 20_000_000  # more than socket buffers hold


class Server:
    """In front of the API; meddles with the first connection, passes the others on."""

    def __init__(self, port, meddle):
        self.upstream, self.meddle = port, meddle
        self.reached = threading.Event()  # the moment in which the machine falls asleep
        self.asleep = threading.Event()
        self.gave_up = threading.Event()
        self.listener = socket.socket()
        # What an accepted socket receives unread is then small, and the upload cannot run ahead.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1/convert"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        first = True
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            serve = self.meddle if first else Server.pass_on
            threading.Thread(target=self.run, args=(serve, client), daemon=True).start()
            first = False

    def run(self, serve, client):
        with client, socket.create_connection(("127.0.0.1", self.upstream)) as upstream:
            try:
                serve(self, client, upstream)
            except ConnectionError:
                pass

    def pass_on(self, client, upstream, until=lambda data, source: False):
        """Both ways, until one side closes or `until` holds; what was not passed on yet."""
        client_first = (client, upstream), (upstream, client)
        while True:
            ready, _, _ = select.select([client, upstream], [], [])
            for source, target in client_first:
                if source not in ready:
                    continue
                data = source.recv(65536)
                if not data or until(data, source):
                    return data
                target.sendall(data)

    def lose_patience(self, client):
        """Reads on until nothing has come for PATIENCE, then resets."""
        client.settimeout(PATIENCE)
        try:
            while client.recv(65536):
                pass
        except TimeoutError:
            self.gave_up.set()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.asleep.set()
        self.listener.close()


def amid_the_upload(server, client, upstream):
    received = 0

    def enough(data, source):
        nonlocal received
        received += len(data)
        return received > 1_000_000
    server.pass_on(client, upstream, enough)
    server.reached.set()
    server.asleep.wait(60)
    server.lose_patience(client)


def before_the_answer(server, client, upstream):
    """The whole upload arrives and is billed; the answer finds nobody who takes it."""
    server.pass_on(client, upstream, lambda data, source: source is upstream)
    server.reached.set()
    server.asleep.wait(60)
    server.lose_patience(client)


def into_the_sleep(server, client, upstream):
    """The answer comes while the machine sleeps."""
    answer = server.pass_on(client, upstream, lambda data, source: source is upstream)
    server.reached.set()
    server.asleep.wait(60)
    client.sendall(answer)
    server.gave_up.set()
    server.pass_on(client, upstream)


def sleeps(pid):
    states = [task.joinpath("stat").read_text().rpartition(")")[2].split()[0]
              for task in Path(f"/proc/{pid}/task").iterdir()]
    return all(state == "T" for state in states)


def converted_across_a_sleep(meddle, size, sleep=0.0, **keys):
    """(what the API billed, attempts, keys) once a file was converted across a sleep."""
    with Scratch() as home, ApiServer() as api, Server(api.port, meddle) as server:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        with Agent(home / "a", folder_toml("p", inbox, outbox),
                   converter_toml(server.url, account="one", **keys)) as agent:
            agent.start()
            # Ends as a PNG does, so that nobody waits for more.
            drop(inbox, "a.png", png(8, 8, 1) + os.urandom(size) + png(8, 8, 1))
            assert server.reached.wait(60), "the moment to fall asleep did not come"
            agent.process.send_signal(signal.SIGSTOP)
            eventually(lambda: sleeps(agent.process.pid), 20, "the sleep")
            server.asleep.set()
            assert server.gave_up.wait(60), "the server still waits"
            time.sleep(sleep)  # the length of the sleep is what is tested
            agent.process.send_signal(signal.SIGCONT)
            eventually(lambda: agent.all_done("p", 1), 60, "the file")
            expect_right(inbox, outbox)
            assert agent.folder("p")["delivered"] == 1
            bill = expect_books_agree(api, agent.state / "ledger.db", 1)
            rows = ask_ledger(agent.state / "ledger.db", "SELECT key FROM attempt")
            return bill, len(rows), len(set(rows))


def test_a_sleep_amid_an_upload_costs_a_second_upload_and_one_bill_H2():
    bill, attempts, keys = converted_across_a_sleep(amid_the_upload, LARGE)
    assert (attempts, keys) == (2, 1), (attempts, keys)
    assert bill["posts"] == 2 and bill["replays"] == 0, bill


def test_a_sleep_before_the_answer_is_answered_again_under_the_same_key_H2():
    bill, attempts, keys = converted_across_a_sleep(before_the_answer, 1000)
    assert (attempts, keys) == (2, 1), (attempts, keys)
    assert bill["posts"] == 2 and bill["replays"] == 1, bill


def test_a_sleep_longer_than_the_converter_may_think_loses_nothing_H2():
    """The answer lies in the socket by then; taken or asked for again, it is billed once."""
    bill, attempts, keys = converted_across_a_sleep(into_the_sleep, 1000, sleep=1.5, timeout="1s")
    assert keys == 1 and attempts <= 2, (attempts, keys)
    assert bill["replays"] == attempts - 1, bill


def test_a_writer_that_slept_as_well_is_not_taken_for_one_that_is_done_B9():
    """The sleep is longer than the quiet time, and the writer goes on within it after the wake."""
    with Scratch() as home, ApiServer() as api:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        with Agent(home / "a", folder_toml("p", inbox, outbox, settle="8s"),
                   converter_toml(api.url)) as agent:
            agent.start()
            first, second = png(8, 8, 1), png(9, 9, 2)
            (inbox / "a.png").write_bytes(first)
            eventually(lambda: "without change" in str(agent.command(
                "explain", str(inbox / "a.png"))["says"]), 5, "the quiet time")
            agent.process.send_signal(signal.SIGSTOP)
            eventually(lambda: sleeps(agent.process.pid), 20, "the sleep")
            time.sleep(9)  # the length of the sleep is what is tested
            agent.process.send_signal(signal.SIGCONT)
            time.sleep(0.5)  # the writer wakes later than the agent
            (inbox / "a.png").write_bytes(second)
            eventually(lambda: agent.all_done("p", 1), 60, "the file")
            expect_right(inbox, outbox)
            bill = api.bill()
            assert bill["posts"] == 1, bill


if __name__ == "__main__":
    main(globals())
