"""Objects of a bucket that the converter reads itself, by presigned links (upload = "url"): of
Ceph's object gateway, through `millrace serve`, and through the stand-in API, which takes the link
for the content."""

import os
import signal
import sqlite3
import subprocess

from books import expect_books_agree
from bucket_inbox_test import command, convert_and_amid_the_first_request, fill
from buckets import KEYS, Bucket, keys_of, main_with_gateway, store_toml
from commands_test import User
from harness import (MILLRACE, Agent, ApiServer, Scratch, converter_toml, eventually, folder_toml,
                     png)
from serve_test import Serve
from store_proxy import StoreProxy, error

ODD = ["a.png", "deep/er/b.png", "sp ace+plus%41&?#.png", "ü/日本.png", "x//y.png", "/lead.png",
       "../up.png", "./dot.png", "con.png", "q'\"<>|*.png", "~!*'();:@&=+$,?#[].png",
       "a%20b.png", "long/" + "k" * 900 + ".png"]


def serve_for(home, store):
    trust = ["--ca-file", store.certificate] if store.certificate else []
    return Serve(home, "--allow-fetch", store.by_path.partition("://")[2], *trust)


def converted(serve):
    return serve.metric('millrace_serve_conversions_total{result="ok"}')


def by_link(home, gateway, api, *words):
    return [*command(home, gateway, api, *words), "--upload", "url"]


def convert_killed_five_times_by_link(store, files):
    names = ODD + [f"{number % 7}/n {number}.png" for number in range(files - len(ODD))]
    keys_of_store = keys_of(store)
    with Scratch() as home, serve_for(home, store) as serve:
        user, bucket = User(home), Bucket(store, "links")
        fill(bucket, names)
        serve.url = serve.base + "/v1/convert"
        words = by_link(home, store, serve, "s3://ceph@links/in/", "--out", "s3://ceph@links/out/")
        for kill in range(1, 6):
            process = subprocess.Popen([MILLRACE, *words], cwd=home,
                                       env=user.environment | keys_of_store,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            eventually(lambda: converted(serve) >= kill * files // 10, 120, "the next conversions")
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert process.returncode == -signal.SIGKILL, process.returncode
        summary = user.json(*words, **keys_of_store)
        assert summary["failed"] == 0 and summary["waiting"] == 0, summary
        assert converted(serve) == files, "billed twice"
        keys = bucket.keys("out/")
        assert len(keys) == files and all(key.endswith(".webp") for key in keys), len(keys)
        for number in range(0, files, max(1, files // 20)):
            wanted = serve.curl("/v1/convert?target=webp", "--data-binary", "@-",
                                data=png(8, 8, number))[2]
            plain = "out/" + names[number].removesuffix(".png") + ".webp"
            if plain in keys:  # a name that no outbox refuses
                assert bucket.get(plain) == (wanted, "image/webp"), plain
            else:
                assert any(bucket.get(key)[0] == wanted for key in keys), names[number]
        assert user.json(*words, **keys_of_store)["delivered"] == 0
        [ledger] = [path.read_bytes() for path in home.rglob("ledger.db")]
        assert b"X-Amz-Signature" not in ledger


def test_killed_five_times_every_object_is_converted_once_by_its_link(gateway):
    convert_killed_five_times_by_link(gateway, 5000 if os.environ.get("MILLRACE_LONG") else 200)


def test_an_answer_is_thrown_away_if_the_object_was_replaced_meanwhile(gateway):
    with Scratch() as home, ApiServer() as api:
        user, bucket = User(home), Bucket(gateway, "replaced")
        fill(bucket, ["a.png"])
        words = by_link(home, gateway, api, "s3://ceph@replaced/in/", "--out", "made")
        said = convert_and_amid_the_first_request(lambda: fill(bucket, ["a.png"], seed=77), user, api,
                                                  words)
        assert '"delivered":1' in said, said
        # One for each version: the first was paid for and is of no use.
        bill = api.bill()
        assert bill["billed"] == 2 and bill["keys"] == 2 and bill["keys_billed_twice"] == 0, bill
        [ledger] = home.rglob("ledger.db")
        expect_books_agree(api, ledger, 2)
        assert user.json(*words, **KEYS)["delivered"] == 0 and api.bill()["posts"] == 2


def test_a_link_names_the_version_where_the_bucket_keeps_them(gateway):
    with Scratch() as home, ApiServer() as api:
        user, bucket = User(home), Bucket(gateway, "versions")
        bucket.client.put_bucket_versioning(Bucket="versions",
                                            VersioningConfiguration={"Status": "Enabled"})
        fill(bucket, ["a.png"])
        words = by_link(home, gateway, api, "s3://ceph@versions/in/", "--out", "made")
        said = convert_and_amid_the_first_request(lambda: fill(bucket, ["a.png"], seed=77), user, api,
                                                  words)
        assert '"delivered":1' in said, said
        assert api.bill()["posts"] == 1  # the answer is of the version that was asked for
        assert user.json(*words, **KEYS)["delivered"] == 1 and api.bill()["posts"] == 2


def test_a_link_that_expired_on_its_way_costs_an_attempt_and_no_file(gateway):
    refused = []

    def before(asked):
        if "X-Amz-Signature" not in asked.query or refused:
            return None
        refused.append(asked)
        return error(403, "AccessDenied")  # what S3 says of a link that has expired

    with Scratch() as home, StoreProxy(gateway, before) as proxy:
        user, bucket = User(home), Bucket(gateway, "expired")
        fill(bucket, ["a.png"])
        place = proxy.url.partition("://")[2]
        with Serve(home, "--allow-fetch", place) as serve:
            serve.url = serve.base + "/v1/convert"
            words = by_link(home, gateway, serve, "s3://ceph@expired/in/", "--out", "made")
            (home / "config.toml").write_text(store_toml(gateway, endpoint=proxy.url))
            summary = user.json(*words, **KEYS)
            assert summary["delivered"] == 1 and summary["failed"] == 0, summary
            assert proxy.count(lambda asked: "X-Amz-Signature" in asked.query) == 2
            assert converted(serve) == 1
            [ledger] = home.rglob("ledger.db")
            with sqlite3.connect(ledger) as book:
                rows = book.execute("SELECT status, reason FROM attempt ORDER BY number")
                first, second = list(rows)
            assert first[0] == 422 and f"fetch_failed: {place} answered with status 403" in first[1]
            assert second[0] == 200, second


def test_a_service_that_fetches_nothing_from_there_stops_the_converter(gateway):
    with Scratch() as home, Serve(home, "--ca-file", gateway.certificate) as serve:
        user, bucket = User(home), Bucket(gateway, "refused")
        fill(bucket, ["a.png", "b.png"])
        serve.url = serve.base + "/v1/convert"
        words = by_link(home, gateway, serve, "s3://ceph@refused/in/", "--out", "made")
        said = user.says(*words, status=4, **KEYS)
        assert "file_url_disabled" in said and "--allow-fetch 127.0.0.1:" in said, said
        assert "X-Amz" not in said and "Signature" not in said, said
        (home / "other").mkdir()
        with serve_for(home / "other", gateway) as other:
            other.url = other.base + "/v1/convert"
            words = by_link(home, gateway, other, "s3://ceph@refused/in/", "--out", "made")
            assert user.json(*words, **KEYS)["delivered"] == 2


def test_a_watched_bucket_is_converted_by_link_and_emptied(gateway):
    with Scratch() as home, serve_for(home, gateway) as serve:
        bucket = Bucket(gateway, "watched")
        fill(bucket, ODD)
        folder = folder_toml("objects", "s3://ceph@watched/in", "s3://ceph@watched/out", poll="1s",
                             after="delete")
        converter = converter_toml(serve.base + "/v1/convert", upload="url")
        with Agent(home / "agent", folder, converter + store_toml(gateway),
                   environment=KEYS) as agent:
            agent.start()
            eventually(lambda: agent.all_done("objects", len(ODD)), 60, "the results")
            eventually(lambda: bucket.keys("in/") == [], 30, "an empty inbox")
            assert len(bucket.keys("out/")) == len(ODD) == converted(serve)
            told = agent.command("explain", "s3://ceph@watched/in/a.png")
            assert "delivered" in str(told["says"]), told
            assert "X-Amz-" not in agent.read_log() + str(agent.command("check")) + str(told)


def test_files_of_a_folder_have_no_link(gateway):
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        (home / "in").mkdir()
        (home / "in" / "a.png").write_bytes(png(8, 8, 1))
        words = by_link(home, gateway, api, "in", "--out", "made")
        said = user.says(*words, status=2, **KEYS)
        assert "files of a folder have none" in said, said
        assert api.bill()["posts"] == 0


if __name__ == "__main__":
    main_with_gateway(globals())
