"""A bucket of Ceph's object gateway as outbox, of `millrace convert` and of a watched folder: every
result once, under its key, whole, whatever happens to the agent meanwhile."""

import hashlib
import signal
import subprocess

from books import expect_books_agree, made_from
from bucket_inbox_test import kill_amid_work
from buckets import KEYS, Bucket, main_with_gateway, store_toml
from commands_test import User, pictures
from harness import (MILLRACE, Agent, ApiServer, Scratch, converter_toml, drop, eventually,
                     folder_toml, main, png)

DIED = 137  # as kCrashExitStatus of a build with crash points


def convert(home, gateway, api, bucket):
    (home / "config.toml").write_text(store_toml(gateway))
    return ["convert", "a", "--to", "webp", "--out", f"s3://ceph@{bucket.name}/out/", "--config",
            "config.toml", "--url", api.url, "--workers", "4"]


def expect_right(home, bucket):
    """Every picture beneath `a` has its object, made from its bytes, and nothing else is there."""
    sources = [path for path in (home / "a").rglob("*") if path.is_file()]
    wanted = {f"out/{path.relative_to(home / 'a').with_suffix('.webp')}": path for path in sources}
    assert bucket.keys() == sorted(wanted), set(bucket.keys()) ^ set(wanted)
    for key, source in wanted.items():
        data, content_type = bucket.get(key)
        assert content_type == "image/webp", content_type
        (home / "one").write_bytes(data)
        assert made_from(home / "one") == hashlib.sha256(source.read_bytes()).hexdigest(), key


def expect_spools_empty(home):
    spools = list(home.rglob("spool/*"))
    assert spools and not [file for spool in spools for file in spool.iterdir()], spools


def test_a_folder_becomes_objects_and_what_is_there_stays(gateway):
    with Scratch() as home, ApiServer() as api:
        user, bucket = User(home), Bucket(gateway, "first")
        words = convert(home, gateway, api, bucket)
        pictures(home / "a", range(5))
        pictures(home / "a/deep ü", range(5, 8))
        assert user.json(*words, **KEYS)["delivered"] == 8
        expect_right(home, bucket)
        assert user.json(*words, **KEYS)["delivered"] == 0 and api.bill()["posts"] == 8
        bucket.put("out/theirs.webp", b"somebody's")
        (home / "a/theirs.png").write_bytes(png(8, 8, 77))
        summary = user.json(*words, **KEYS)
        assert summary["delivered"] == 0 and summary["skipped"] == 1, summary
        assert bucket.get("out/theirs.webp")[0] == b"somebody's" and api.bill()["posts"] == 8


def test_killed_five_times_every_object_is_there_once_and_billed_once(gateway):
    with Scratch() as home, ApiServer("--latency-ms", "40") as api:
        user, bucket = User(home), Bucket(gateway, "killed")
        words = convert(home, gateway, api, bucket)
        pictures(home / "a", range(120))
        for _ in range(5):
            kill_amid_work(api, words, 120, cwd=home, env=user.environment | KEYS)
        summary = user.json(*words, **KEYS)
        assert summary["failed"] == 0 and summary["waiting"] == 0, summary
        expect_right(home, bucket)
        [ledger] = home.rglob("ledger.db")
        print(f"        {expect_books_agree(api, ledger, 120)}")
        expect_spools_empty(home)


def test_a_death_before_any_call_loses_nothing(gateway):
    """Every third of the numbered calls that change something on this machine."""
    with Scratch() as home, ApiServer() as api:
        user, bucket = User(home), Bucket(gateway, "deaths")
        words = convert(home, gateway, api, bucket)
        for deaths in range(1000):
            pictures(home / "a", [deaths])
            died = subprocess.run([MILLRACE, *words], cwd=home, capture_output=True, timeout=120,
                                  env=user.environment | KEYS | {"MILLRACE_DIE_AT": str(3 * deaths + 1)})
            assert died.returncode in (0, DIED), died
            summary = user.json(*words, **KEYS)
            assert summary["failed"] == 0 and summary["waiting"] == 0, summary
            if died.returncode == 0:
                break
        assert deaths > 5, deaths
        expect_right(home, bucket)
        [ledger] = home.rglob("ledger.db")
        print(f"        {deaths} deaths, {expect_books_agree(api, ledger, deaths + 1)}")
        expect_spools_empty(home)


def test_a_watched_folder_fills_a_bucket_through_kills(gateway):
    with Scratch() as home, ApiServer("--latency-ms", "40") as api:
        bucket, inbox = Bucket(gateway, "watched"), home / "a"
        pictures(inbox, range(40))
        settings = converter_toml(api.url, concurrency=4) + store_toml(gateway)
        folder = folder_toml("pictures", inbox, "s3://ceph@watched/out")
        with Agent(home / "agent", folder, settings, environment=KEYS) as agent:
            for kill in (10, 20):
                agent.start(wait=False)
                eventually(lambda: api.bill()["posts"] >= kill, what="the next posts")
                agent.kill()
            agent.start()
            eventually(lambda: agent.all_done("pictures", 40), 120, "the rest")
            expect_right(home, bucket)
            expect_books_agree(api, agent.state / "ledger.db", 40)
            # A source that changes has its object replaced.
            drop(inbox, "3.png", png(9, 9, 300))
            eventually(lambda: api.bill()["billed"] == 41 and agent.all_done("pictures", 40), 60,
                       "the new version")
            expect_right(home, bucket)
            expect_spools_empty(home)
            assert "s3://ceph@watched/out, not asked here" in str(agent.command("check"))


def test_a_stop_amid_an_upload_loses_nothing_that_was_paid_for(gateway):
    with Scratch() as home, ApiServer() as api:
        bucket, inbox = Bucket(gateway, "stopped"), home / "a"
        pictures(inbox, [1])
        folder = folder_toml("pictures", inbox, "s3://ceph@stopped/out")
        with Agent(home / "agent", folder, converter_toml(api.url) + store_toml(gateway),
                   environment=KEYS) as agent:
            api.hold()
            agent.start()
            eventually(lambda: api.bill()["posts"] == 1, what="the request")
            with gateway.frozen():
                api.release()
                eventually(lambda: list(home.rglob("spool/*/*")), what="the result")
                eventually(lambda: api.bill()["open"] == 0, what="the end of the answer")
                agent.stop()
            # Now the store takes up what it was sent, or not.
            agent.start()
            eventually(lambda: agent.all_done("pictures", 1), 60, "the result")
            expect_right(home, bucket)
            assert api.bill()["posts"] == 1 and "a thread hung" not in agent.read_log()
            expect_spools_empty(home)


def test_with_a_wrong_secret_nothing_is_paid_and_a_reload_mends_it(gateway):
    with Scratch() as home, ApiServer() as api:
        bucket, inbox = Bucket(gateway, "mended"), home / "a"
        pictures(inbox, range(3))
        folder = folder_toml("pictures", inbox, "s3://ceph@mended/out")
        converter = converter_toml(api.url)
        with Agent(home / "agent", folder, converter + store_toml(gateway, "S3_WRONG"),
                   environment=KEYS | {"S3_WRONG": "not-the-secret"}) as agent:
            agent.start()
            eventually(lambda: "outbox" in agent.folder("pictures").get("blocked", ""), 60, "the trouble")
            said = agent.folder("pictures")["blocked"]
            assert "not-the-secret" not in said + agent.read_log(), said
            assert api.bill()["posts"] == 0 and bucket.keys() == [], said
            agent.write_config(folder, converter + store_toml(gateway))
            agent.command("reload")
            eventually(lambda: agent.all_done("pictures", 3), 60, "the results")
            expect_right(home, bucket)
            assert api.bill()["billed"] == 3


def test_a_store_that_is_not_there_and_wrong_settings_are_said(gateway):
    with Scratch() as home, ApiServer() as api:
        user, bucket = User(home), Bucket(gateway, "away")
        words = convert(home, gateway, api, bucket)
        pictures(home / "a", range(1))
        words[words.index("--out") + 1] = "s3://nobody@away/out"
        assert "there is no [s3.nobody]" in user.says(*words, status=2)
        words[words.index("--out") + 1] = "s3://ceph@away/../x"
        assert "--out: s3://ceph@away/../x must have a prefix" in user.says(*words, status=2)
        words[words.index("--out") + 1] = "s3://ceph@gone-away/out"
        said = user.says(*words, "--patience", "10s", status=1, **KEYS)
        assert "NoSuchBucket" in said, said
        assert KEYS["S3_SECRET"] not in said and api.bill()["posts"] == 0


if __name__ == "__main__":
    main_with_gateway(globals())
