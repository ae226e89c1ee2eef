"""Results that go into a bucket in parts, and the agent dies amid it: the next start sends what is
missing, and no parts are left to cost."""

import hashlib
import signal
import subprocess
from contextlib import contextmanager

from books import expect_books_agree
from bucket_inbox_test import hash_made_from
from bucket_test import DIED, expect_spools_empty
from buckets import KEYS, Bucket, main_with_gateway, store_toml
from commands_test import User, pictures
from harness import LONG, MILLRACE, ApiServer, Scratch
from store_proxy import StoreProxy

LARGE = 70_000_000  # bytes of a result: more than is sent in one request
PARTS = 5           # of 16 MiB


class Desk:
    """One picture whose result is large, a bucket for it, and a proxy before the store."""

    def __init__(self, home, gateway, api, proxy, name):
        self.home, self.api, self.proxy = home, api, proxy
        self.user, self.bucket = User(home), Bucket(gateway, name)
        pictures(home / "a", [1])
        (home / "config.toml").write_text(store_toml(gateway, endpoint=proxy.url))
        self.words = ["convert", "a", "--to", "webp", "--out", f"s3://ceph@{name}/out/", "--config",
                      "config.toml", "--url", api.url]
        self.process = None

    def run_until_killed(self):
        self.process = subprocess.Popen([MILLRACE, *self.words], cwd=self.home,
                                        env=self.user.environment | KEYS)
        self.process.wait(timeout=120)
        assert self.process.returncode == -signal.SIGKILL, self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def run(self):
        return self.user.json(*self.words, **KEYS)

    def uploads(self):
        listed = self.bucket.client.list_multipart_uploads(Bucket=self.bucket.name)
        return [(one["Key"], one["UploadId"]) for one in listed.get("Uploads", [])]

    def begun(self):
        """How many uploads in parts."""
        return self.proxy.count(lambda asked: asked.is_begin_of_parts())

    def parts(self):
        """How many lie in the store and belong to no object."""
        listed = [self.bucket.client.list_parts(Bucket=self.bucket.name, Key=key, UploadId=upload)
                  for key, upload in self.uploads()]
        return sum(len(one.get("Parts", [])) for one in listed)

    def expect_right(self):
        """The result is there once, of its source, paid for once, and nothing is left anywhere."""
        assert self.bucket.keys() == ["out/1.webp"], self.bucket.keys()
        source = hashlib.sha256((self.home / "a/1.png").read_bytes()).hexdigest()
        data = self.bucket.get("out/1.webp")[0]
        assert len(data) >= LARGE and hash_made_from(self.home, data) == source
        [ledger] = self.home.rglob("ledger.db")
        expect_books_agree(self.api, ledger, 1)
        expect_spools_empty(self.home)


@contextmanager
def desk_of(gateway, name, before=lambda desk, asked: None, after=lambda desk, asked, answer: None):
    desk = None
    with (Scratch() as home, ApiServer("--output-bytes", str(LARGE)) as api,
          StoreProxy(gateway, lambda asked: before(desk, asked),
                     lambda asked, answer: after(desk, asked, answer)) as proxy):
        desk = Desk(home, gateway, api, proxy, name)
        yield desk


def dies_behind_the_second_part(desk, asked, _):
    if asked.is_part() and asked.query["partNumber"] == ["2"] and desk.process.returncode is None:
        desk.kill()


def test_killed_between_parts_the_others_are_sent(gateway):
    with desk_of(gateway, "between", after=dies_behind_the_second_part) as desk:
        desk.run_until_killed()
        assert desk.bucket.keys() == [] and len(desk.uploads()) == 1
        assert desk.run()["failed"] == 0
        asked = desk.proxy.asked
        assert [a.query["partNumber"][0] for a in asked if a.is_part()] == ["1", "2", "3", "4", "5"]
        assert desk.begun() == 1
        assert desk.uploads() == []
        desk.expect_right()


def test_killed_between_the_completion_and_its_record_nothing_is_sent_again(gateway):
    def dies(desk, asked, _):
        if asked.is_completion():
            desk.kill()

    with desk_of(gateway, "completed", after=dies) as desk:
        desk.run_until_killed()
        assert desk.bucket.keys() == ["out/1.webp"]
        assert desk.run()["failed"] == 0
        assert desk.proxy.count(lambda a: a.is_part()) == PARTS
        assert desk.proxy.count(lambda a: a.is_completion()) == 1
        assert desk.uploads() == []
        desk.expect_right()


def test_parts_whose_file_is_lost_are_aborted_and_those_of_others_stay(gateway):
    with desk_of(gateway, "lost", after=dies_behind_the_second_part) as desk:
        theirs = desk.bucket.client.create_multipart_upload(Bucket="lost", Key="out/1.webp")
        desk.run_until_killed()
        assert len(desk.uploads()) == 2
        [spooled] = [file for file in desk.home.rglob("spool/*/*.tmp")]
        spooled.unlink()
        assert desk.run()["failed"] == 0
        assert desk.uploads() == [("out/1.webp", theirs["UploadId"])], desk.uploads()
        assert desk.begun() == 2
        desk.expect_right()


def test_a_death_before_any_call_leaves_no_parts(gateway):
    """Every third of the numbered calls that change something on this machine, from the last one
    back into the upload. How many there are is not the same each time."""
    with desk_of(gateway, "dying") as desk:
        calls = desk.home / "calls"
        environment = desk.user.environment | KEYS
        counted = environment | {"MILLRACE_COUNT_FILE": str(calls)}
        subprocess.run([MILLRACE, *desk.words, "--json"], cwd=desk.home, env=counted, check=True,
                       capture_output=True)
        begun, cut_off, deaths = 1, 0, 0
        for death in range(int(calls.read_text()) - 1, 0, -1 if LONG else -3):
            if deaths >= (24 if LONG else 8) and cut_off > 0:
                break
            deaths += 1
            pictures(desk.home / "a", [death])
            died = subprocess.run([MILLRACE, *desk.words], cwd=desk.home, capture_output=True,
                                  env=environment | {"MILLRACE_DIE_AT": str(death)}, timeout=120)
            assert died.returncode in (0, DIED), died
            now_begun = desk.begun()
            cut_off += died.returncode == DIED and now_begun > begun
            summary = desk.run()
            begun = desk.begun()
            assert summary["failed"] == 0 and summary["waiting"] == 0, summary
            # An upload that was begun and not yet noted stays, without parts, which costs nothing.
            assert desk.parts() == 0, death
            expect_spools_empty(desk.home)
        assert cut_off > 0, "no death was amid an upload"
        assert len(desk.bucket.keys()) == deaths + 1
        [ledger] = desk.home.rglob("ledger.db")
        print(f"        {cut_off} behind the begin of its parts")
        expect_books_agree(desk.api, ledger, deaths + 1)


if __name__ == "__main__":
    main_with_gateway(globals())
