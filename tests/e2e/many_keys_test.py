"""Buckets of very many keys: `millrace convert` from one prefix into another, where nearly all is
done already. What it holds in memory does not grow with them."""

import http.client
import json
import os
import subprocess
import time

from commands_test import User
from harness import MILLRACE, ApiServer, Scratch, count, main

GENERATED_BUCKET = os.environ.get("GENERATED_BUCKET", "")
KEYS = count(1_000_000)
MOST_MB = 60


class GeneratedBucket:
    """A server that makes its listings up: of every thousandth key under in/ out/ has no result."""

    def __init__(self, keys):
        self.process = subprocess.Popen([GENERATED_BUCKET, str(keys)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def counts(self):
        link = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        link.request("GET", "/_control/counts")
        counts = json.loads(link.getresponse().read())
        link.close()
        return counts

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.wait()


def store_toml(bucket):
    return (f'[s3.stub]\nendpoint = "{bucket.url}"\naccess_key_id = {{ env = "S3_KEY" }}\n'
            'secret_access_key = { env = "S3_SECRET" }\n')


def most_memory_mb(process):
    """Waits for its end; the most that it had resident, as the kernel keeps it."""
    most = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                for line in status:
                    if line.startswith("VmHWM:"):
                        most = int(line.split()[1]) / 1024
        except OSError:
            pass
        time.sleep(0.005)
    return most


def test_of_a_million_keys_only_those_without_a_result_are_asked_for():
    with Scratch() as home, ApiServer() as api, GeneratedBucket(KEYS) as bucket:
        user = User(home)
        (home / "config.toml").write_text(store_toml(bucket))
        words = ["convert", "s3://stub@bkt/in/", "--to", "webp", "--out", "s3://stub@bkt/out/",
                 "--config", "config.toml", "--url", api.url, "--workers", "20", "--json"]
        environment = user.environment | {"S3_KEY": "k", "S3_SECRET": "s"}
        with open(home / "said", "w+", encoding="utf-8") as said:
            began = time.monotonic()
            batch = subprocess.Popen([MILLRACE, *words], env=environment, cwd=home, stdout=said,
                                     stderr=said)
            memory = most_memory_mb(batch)
            took = time.monotonic() - began
            said.seek(0)
            lines = said.read().splitlines()
        summary = json.loads(lines[-1])
        missing = KEYS // 1000
        print(f"        {KEYS} keys: {took:.1f} s, {memory:.0f} MB at most, {bucket.counts()}")
        assert batch.returncode == 0, lines[-5:]
        assert summary["delivered"] == missing, summary
        assert summary["skipped"] == KEYS - missing, summary
        assert api.bill()["posts"] == missing, api.bill()
        counts = bucket.counts()
        assert counts["get"] == counts["put"] == missing, counts
        # Pages of a thousand, and a few more where the walk of results skips.
        assert counts["list in"] == missing and counts["list out"] <= 2 * missing + 2, counts
        assert 0 < memory < MOST_MB, memory
        # The totals of progress grow to what there is, and say until when they may.
        told = [json.loads(line) for line in lines[:-1]]
        assert all(row["done"] + row["waiting"] == row["total"] for row in told), told
        assert all(row["total"] >= KEYS for row in told if row["all_seen"]), told


if __name__ == "__main__":
    main(globals())
