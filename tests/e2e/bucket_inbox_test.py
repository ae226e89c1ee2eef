"""A bucket of Ceph's object gateway as inbox, of `millrace convert` and of the agent: every object
converted once, whatever its key, whatever happens to the agent or to the bucket meanwhile."""

import hashlib
import os
import signal
import subprocess

from books import expect_books_agree, made_from
from buckets import KEYS, Bucket, keys_of, main_with_gateway, store_toml
from commands_test import User
from harness import (MILLRACE, Agent, ApiServer, Scratch, converter_toml, eventually, folder_toml,
                     png)

# Each with a result of its own; a folder mark, and what programs are still writing, are left out.
ODD = ["a.png", "a.tif", "deep/er/b.png", "sp ace+plus%41&?#.png", "ü/日本.png",
       "x//y.png", "/lead.png", "../up.png", "./dot.png", "con.png", "q'\"<>|*.png",
       "long/" + "k" * 900 + ".png"]
LEFT_OUT = ["mark/", ".hidden.png", "half.png.part"]


def fill(bucket, names, prefix="in/", seed=0):
    """Puts a picture of its own under each key, and gives their SHA-256."""
    made = {}
    for number, name in enumerate(names):
        data = b"" if name.endswith("/") else png(8, 8, seed + number)
        bucket.put(prefix + name, data)
        made[name] = hashlib.sha256(data).hexdigest()
    return made


def command(home, gateway, api, source, *out):
    (home / "config.toml").write_text(store_toml(gateway))
    return ["convert", source, "--to", "webp", *out, "--config", "config.toml", "--url", api.url,
            "--workers", "4"]


def convert_and_amid_the_first_request(do, user, api, words, keys=KEYS):
    """What it said on standard output."""
    api.hold()
    process = subprocess.Popen([MILLRACE, *words, "--json"], cwd=user.home, text=True,
                               env=user.environment | keys, stdout=subprocess.PIPE)
    eventually(lambda: api.bill()["posts"] >= 1, what="the first post")
    do()
    api.release()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def hash_made_from(home, data):
    (home / "one").write_bytes(data)
    return made_from(home / "one")


def expect_made(home, bucket, sources, prefix="out/"):
    """One result of each source beneath the prefix, and nothing else."""
    keys = bucket.keys(prefix)
    found = [hash_made_from(home, bucket.get(key)[0]) for key in keys]
    assert sorted(found) == sorted(sources.values()), (keys, len(found), len(sources))
    assert all(key.endswith(".webp") for key in keys), keys


def test_a_bucket_is_converted_into_a_bucket_once(gateway):
    with Scratch() as home, ApiServer() as api:
        user, bucket = User(home), Bucket(gateway, "whole")
        sources = fill(bucket, ODD)
        fill(bucket, LEFT_OUT, seed=900)
        words = command(home, gateway, api, "s3://ceph@whole/in/", "--out", "s3://ceph@whole/out/")
        summary = user.json(*words, **KEYS)
        assert summary["delivered"] == len(ODD) and summary["skipped"] == 0, summary
        expect_made(home, bucket, sources)
        assert user.json(*words, **KEYS)["delivered"] == 0 and api.bill()["posts"] == len(ODD)
        # Without a ledger the listings tell, and the names that two may want are looked at.
        summary = user.json(*words, "--state-dir", home / "other", **KEYS)
        assert summary["delivered"] == 0 and summary["skipped"] == len(ODD), summary
        assert summary["failed"] == 0 and api.bill()["posts"] == len(ODD), summary
        # Another version of a name has its result replaced, although there is one.
        sources |= fill(bucket, ["deep/er/b.png"], seed=500)
        assert user.json(*words, **KEYS)["delivered"] == 1
        expect_made(home, bucket, sources)


def test_a_bucket_is_converted_into_a_folder_and_beside_itself(gateway):
    with Scratch() as home, ApiServer() as api:
        user, bucket = User(home), Bucket(gateway, "mixed")
        sources = fill(bucket, ODD)
        words = command(home, gateway, api, "s3://ceph@mixed/in/", "--out", "made")
        summary = user.json(*words, **KEYS)
        assert summary["delivered"] == len(ODD), summary
        made = [path for path in (home / "made").rglob("*") if path.is_file()]
        assert sorted(made_from(path) for path in made) == sorted(sources.values()), made
        assert user.json(*words, **KEYS)["delivered"] == 0 and api.bill()["posts"] == len(ODD)
        words = command(home, gateway, api, "s3://ceph@mixed/in/deep")
        assert user.json(*words, **KEYS)["delivered"] == 1
        assert "in/deep/er/b.webp" in bucket.keys("in/deep/")
        assert user.json(*words, **KEYS)["delivered"] == 0


def kill_amid_work(api, words, files, **options):
    """Five times are possible: soon after it is to be dead the server answers nothing any more."""
    step, most = files // 7, files // 5 - 1
    before = api.bill()["posts"]
    api.faults(f"seq={most}-999999 hang\n")
    process = subprocess.Popen([MILLRACE, *words], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, **options)
    eventually(lambda: api.bill()["posts"] >= before + step, what="the next posts")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, process.returncode
    api.faults("")


def convert_killed_five_times(gateway, files):
    """Every object is converted once, whatever is there of a conversion when the agent dies."""
    with Scratch() as home, ApiServer("--latency-ms", "40") as api:
        user, bucket = User(home), Bucket(gateway, "often")
        sources = fill(bucket, [f"{number % 7}/{number}.png" for number in range(files)])
        words = command(home, gateway, api, "s3://ceph@often/in/", "--out", "s3://ceph@often/out/")
        for _ in range(5):
            kill_amid_work(api, words, files, cwd=home, env=user.environment | keys_of(gateway))
        summary = user.json(*words, **keys_of(gateway))
        assert summary["failed"] == 0 and summary["waiting"] == 0, summary
        expect_made(home, bucket, sources)
        [ledger] = home.rglob("ledger.db")
        print(f"        {expect_books_agree(api, ledger, files)}")


def test_killed_five_times_every_object_is_converted_once(gateway):
    convert_killed_five_times(gateway, 5000 if os.environ.get("MILLRACE_LONG") else 200)


def test_a_watched_bucket_is_converted_as_it_fills(gateway):
    with Scratch() as home, ApiServer() as api:
        bucket, outbox = Bucket(gateway, "seen"), home / "out"
        outbox.mkdir()
        sources = fill(bucket, ["a.png", "b/c.png"])
        folder = folder_toml("objects", "s3://ceph@seen/in", outbox, poll="1s", after="archive")
        with Agent(home / "agent", folder, converter_toml(api.url) + store_toml(gateway),
                   environment=keys_of(gateway)) as agent:
            agent.start()
            eventually(lambda: agent.all_done("objects", 2), 60, "the first two")
            sources |= fill(bucket, ["late.png"], seed=50)
            eventually(lambda: agent.all_done("objects", 3), 60, "the late one")
            eventually(lambda: bucket.keys("in/") == [], 30, "an empty inbox")
            assert bucket.keys() == [f"archive/{name}" for name in sorted(sources)]
            made = [path for path in outbox.rglob("*") if path.is_file()]
            assert sorted(made_from(path) for path in made) == sorted(sources.values()), made
            eventually(lambda: agent.folder("objects")["health"]["state"] == "watching", 30,
                       "the end of a listing")
            assert agent.folder("objects")["health"]["how"] == "listed every 1s"
            assert "s3://ceph@seen/in, not asked here" in str(agent.command("check"))
            told = agent.command("explain", "s3://ceph@seen/in/b/c.png")
            assert told["folder"] == "objects" and "delivered" in str(told["says"]), told
            told = agent.command("explain", "s3://ceph@seen/in/half.part")
            assert "in flight" in str(told["says"]), told


def test_an_object_that_is_replaced_before_it_is_read_is_converted_as_it_is_then(gateway):
    with Scratch() as home, ApiServer() as api:
        user, bucket = User(home), Bucket(gateway, "moving")
        sources = fill(bucket, ["a.png", "b.png"])
        words = command(home, gateway, api, "s3://ceph@moving/in/", "--out",
                        "s3://ceph@moving/out/")
        words[words.index("--workers") + 1] = "1"
        convert_and_amid_the_first_request(
            lambda: sources.update(fill(bucket, ["b.png"], seed=77)), user, api, words)
        expect_made(home, bucket, sources)
        assert api.bill()["posts"] == 2


def test_an_object_that_is_deleted_before_it_is_read_is_converted_when_it_is_back(gateway):
    with Scratch() as home, ApiServer() as api:
        bucket = Bucket(gateway, "back")
        sources = fill(bucket, ["a.png", "b.png"])
        folder = folder_toml("objects", "s3://ceph@back/in", "s3://ceph@back/out", poll="1s")
        with Agent(home / "agent", folder, converter_toml(api.url, concurrency=1) +
                   store_toml(gateway), environment=KEYS) as agent:
            api.hold()
            agent.start()
            eventually(lambda: api.bill()["posts"] >= 1, what="the first post")
            bucket.client.delete_object(Bucket="back", Key="in/b.png")
            api.release()
            eventually(lambda: agent.folder("objects")["waiting"] == 0 and
                       agent.folder("objects")["converting"] == 0, 60, "the end of the first")
            assert api.bill()["posts"] == 1, api.bill()
            fill(bucket, ["a.png", "b.png"])  # the same bytes, and so the same ETag
            eventually(lambda: agent.all_done("objects", 2), 60, "the second")
            expect_made(home, bucket, sources)
            assert api.bill()["billed"] == 2


def test_what_a_person_must_mend_is_said_at_once(gateway):
    with Scratch() as home, ApiServer() as api:
        user, bucket = User(home), Bucket(gateway, "mend")
        fill(bucket, ["a.png"])
        words = command(home, gateway, api, "s3://ceph@mend/in/", "--out", "o")
        said = user.says(*words, status=4, **KEYS | {"S3_SECRET": "not-the-secret"})
        assert "s3://ceph@mend/in" in said and "SignatureDoesNotMatch" in said, said
        assert "not-the-secret" not in said, said
        words[1] = "s3://ceph@nowhere-at-all/in"
        assert "NoSuchBucket" in user.says(*words, status=4, **KEYS)
        words[1] = "s3://nobody@mend/in"
        assert "there is no [s3.nobody]" in user.says(*words, status=2, **KEYS)
        said = user.says(*words[:1], "s3://ceph@mend/in", *words[2:], status=4,
                         **KEYS | {"S3_SECRET": ""})
        assert "[s3.ceph] secret_access_key: the environment variable S3_SECRET is" in said, said
        words[1] = "s3://ceph@mend/in/a.png"
        assert "nothing to convert lies beneath s3://ceph@mend/in/a.png/" in user.says(*words, **KEYS)
        words[1] = "s3:/mend"
        assert "must name a bucket" in user.says(*words, status=2, **KEYS)
        assert api.bill()["posts"] == 0


def test_a_store_that_is_away_is_waited_for_and_then_said(gateway):
    with Scratch() as home, ApiServer() as api:
        user, bucket = User(home), Bucket(gateway, "away2")
        sources = fill(bucket, ["a.png"])
        words = command(home, gateway, api, "s3://ceph@away2/in/", "--out", "s3://ceph@away2/out/")
        right = (home / "config.toml").read_text()
        wrong = [line if "endpoint" not in line else 'endpoint = "https://127.0.0.1:1"'
                 for line in right.splitlines()]
        (home / "config.toml").write_text("\n".join(wrong))
        said = user.says(*words, "--patience", "2s", status=1, **KEYS)
        assert "s3://ceph@away2/in: " in said and "127.0.0.1:1" in said, said
        (home / "config.toml").write_text(right)
        assert user.json(*words, **KEYS)["delivered"] == 1
        expect_made(home, bucket, sources)


def test_a_wrong_secret_is_mended_by_a_reload(gateway):
    with Scratch() as home, ApiServer() as api:
        bucket, outbox = Bucket(gateway, "reload"), home / "out"
        outbox.mkdir()
        fill(bucket, ["a.png"])
        folder = folder_toml("objects", "s3://ceph@reload/in", outbox, poll="1s")
        converter = converter_toml(api.url)
        with Agent(home / "agent", folder, converter + store_toml(gateway, "S3_WRONG"),
                   environment=KEYS | {"S3_WRONG": "not-the-secret"}) as agent:
            agent.start()
            eventually(lambda: "SignatureDoesNotMatch" in
                       agent.folder("objects")["health"].get("why", ""), 60, "the trouble")
            assert agent.folder("objects")["health"]["state"] == "offline"
            assert "not-the-secret" not in agent.read_log()
            agent.write_config(folder, converter + store_toml(gateway))
            agent.command("reload")
            eventually(lambda: agent.all_done("objects", 1), 60, "the result")


if __name__ == "__main__":
    main_with_gateway(globals())
