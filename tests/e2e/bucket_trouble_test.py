"""A store that has trouble, and a clock that is wrong, between one bucket and another: nothing is
lost, nothing is paid for twice, and no key goes anywhere else."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from books import expect_books_agree
from bucket_inbox_test import expect_made, fill
from buckets import KEYS, Bucket, main_with_gateway, store_toml
from harness import Agent, ApiServer, Scratch, converter_toml, eventually, folder_toml
from store_proxy import Answer, StoreProxy, error

FILES = 20


class Desk:
    """An agent that converts one prefix of a bucket into another, through a proxy."""

    def __init__(self, home, gateway, api, proxy, name, prefix=(), **environment):
        self.home, self.api, self.proxy = home, api, proxy
        self.bucket = Bucket(gateway, name)
        self.sources = fill(self.bucket, [f"{number}.png" for number in range(FILES)])
        folder = folder_toml("objects", f"s3://ceph@{name}/in", f"s3://ceph@{name}/out", poll="1s")
        self.agent = Agent(home / "agent", folder, converter_toml(api.url, concurrency=4) +
                           store_toml(gateway, endpoint=proxy.url),
                           environment=KEYS | environment, prefix=prefix)

    def says(self, word):
        """Whether the folder says why it does not go on, with this word in it."""
        row = self.agent.folder("objects")
        return word in row.get("blocked", "") + row["health"].get("why", "")

    def expect_all(self):
        eventually(lambda: self.agent.all_done("objects", FILES), 300, "all results")
        expect_made(self.home, self.bucket, self.sources)
        expect_books_agree(self.api, self.agent.state / "ledger.db", FILES)


@contextmanager
def desk_of(gateway, name, before=lambda asked: None, after=lambda asked, answer: None, **more):
    with (Scratch() as home, ApiServer("--latency-ms", "100") as api,
          StoreProxy(gateway, before, after) as proxy):
        desk = Desk(home, gateway, api, proxy, name, **more)
        with desk.agent:
            yield desk


class Trouble:
    """What the store answers while it is on; counts."""

    def __init__(self, answer):
        self.answer, self.on, self.count = answer, threading.Event(), 0

    def before(self, asked):
        if not self.on.is_set():
            return None
        self.count += 1
        return self.answer(asked)


def test_bursts_of_slow_down_are_backed_off_from(gateway):
    trouble = Trouble(lambda asked: error(503, "SlowDown"))
    with desk_of(gateway, "slow", trouble.before) as desk:
        desk.agent.start()
        for burst in range(1, 4):
            eventually(lambda: desk.api.bill()["posts"] >= 5 * burst, 300, "the next posts")
            before = trouble.count
            trouble.on.set()
            eventually(lambda: trouble.count > before, 300, "a request amid the burst")
            time.sleep(2)  # how long the burst takes
            trouble.on.clear()
        # Without waits between them it would be thousands.
        assert trouble.count < 300, trouble.count
        desk.expect_all()
        print(f"        {trouble.count} answers were 503 in 6 s")


def test_a_bucket_that_vanishes_amid_work_is_said_and_waited_for(gateway):
    def no_bucket(asked):
        return Answer(404) if asked.method == "HEAD" else error(404, "NoSuchBucket")

    trouble = Trouble(no_bucket)
    with desk_of(gateway, "vanishing", trouble.before) as desk:
        desk.agent.start()
        eventually(lambda: desk.api.bill()["posts"] >= 5, what="the first posts")
        trouble.on.set()
        eventually(lambda: desk.says("NoSuchBucket"), 60, "the reason")
        eventually(lambda: desk.agent.folder("objects")["converting"] == 0, 60,
                   "the end of what was asked for")
        posts = desk.api.bill()["posts"]
        seen = trouble.count
        eventually(lambda: trouble.count >= seen + 3, 60, "further looks")
        assert desk.api.bill()["posts"] == posts, "it was paid for without a bucket"
        trouble.on.clear()
        desk.expect_all()


def expect_right_in_spite_of_the_clock(gateway, name, offset):
    refused = []

    def after(asked, answer):
        if b"RequestTimeTooSkewed" in answer.body or answer.status == 403:
            refused.append(asked)

    with desk_of(gateway, name, after=after, prefix=("faketime", "-f", offset),
                 FAKETIME_DONT_FAKE_MONOTONIC="1") as desk:
        desk.agent.start()
        desk.expect_all()
        # What was learnt holds for all that follow.
        assert 0 < len(refused) < 20, len(refused)
        print(f"        {len(refused)} of {len(desk.proxy.asked)} requests were refused")


def test_a_clock_that_is_20_minutes_off_is_set_by_the_store(gateway):
    expect_right_in_spite_of_the_clock(gateway, "behind", "-20m")
    expect_right_in_spite_of_the_clock(gateway, "ahead", "+20m")


@contextmanager
def elsewhere():
    """A server that nobody may ask; gives its address and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def serve(self):
            asked.append((self.command, self.path, str(self.headers)))
            self.send_error(500)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/seen", asked
        server.shutdown()


def test_a_redirect_to_another_region_is_signed_for_it_and_never_followed(gateway):
    with elsewhere() as (address, asked_there):
        def before(asked):
            if "/eu-west-1/s3/" in asked.headers["Authorization"]:
                return None
            permanent = asked.method == "GET"
            return error(301 if permanent else 307,
                         "PermanentRedirect" if permanent else "TemporaryRedirect", Location=address,
                         x_amz_bucket_region="eu-west-1")

        with desk_of(gateway, "moved", before) as desk:
            desk.agent.start()
            desk.expect_all()
            signed = [asked for asked in desk.proxy.asked
                      if "/us-east-1/s3/" in asked.headers["Authorization"]]
            assert 0 < len(signed) < 20, len(signed)
            assert asked_there == [], asked_there


def test_a_redirect_without_a_region_is_said_and_waited_for(gateway):
    with elsewhere() as (address, asked_there):
        trouble = Trouble(lambda asked: error(307, "TemporaryRedirect", Location=address))
        with desk_of(gateway, "led", trouble.before) as desk:
            trouble.on.set()
            desk.agent.start()
            eventually(lambda: desk.says("TemporaryRedirect"), 60, "the reason")
            assert desk.api.bill()["posts"] == 0 and asked_there == []
            trouble.on.clear()
            desk.expect_all()
            assert asked_there == [], asked_there


if __name__ == "__main__":
    main_with_gateway(globals())
