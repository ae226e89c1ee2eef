"""Buckets: `millrace convert` from one prefix into another at the latency of a real API."""

import os
import subprocess

import harness
from batch_bench import LATENCY
from measure import Run, best_schedule, read_book, share, span_of

WORKERS = 20


class Store:
    """millrace's generated_bucket: `count` pictures of 20 KB beneath in/, nothing beneath out/."""

    def __init__(self, count):
        program = os.environ["GENERATED_BUCKET"]
        self.process = subprocess.Popen([program, str(count), "1", "20000"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.wait()


def run_buckets(url, store, scratch):
    config = scratch / "config.toml"
    config.write_text(f'[s3.store]\nendpoint = "{store.url}"\naccess_key_id = {{ env = "S3_KEY" }}\n'
                      'secret_access_key = { env = "S3_SECRET" }\n')
    environment = dict(os.environ, HOME=str(scratch), XDG_RUNTIME_DIR=str(scratch), S3_KEY="k",
                       S3_SECRET="s")
    with open(scratch / "said", "w", encoding="utf-8") as said:
        return Run([harness.MILLRACE, "convert", "s3://store@bkt/in/", "--to", "webp", "--out",
                    "s3://store@bkt/out/", "--config", str(config), "--url", url, "--workers",
                    str(WORKERS), "--state-dir", str(scratch / "state")], env=environment,
                   stdout=said, stderr=said)


def buckets(scratch, less):
    count = max(1000 // less, 2 * WORKERS)
    book = scratch / "book"
    with Store(count) as store, harness.ApiServer("--bill-book", str(book), "--latency",
                                                  LATENCY) as api:
        run = run_buckets(api.url, store, scratch)
        api.process.terminate()
        api.process.wait()
    posts = read_book(book)
    if len(posts) != count:
        raise RuntimeError(f"{len(posts)} requests for {count} objects")
    span, best = span_of(posts), best_schedule(posts, WORKERS)
    latency = [post["latency_us"] / 1e6 for post in posts]
    print((scratch / "said").read_text().strip())
    print("| workers | objects | objects/min | p50 s | p95 s | of the best schedule |"
          " with start and end |")
    print("|---|---|---|---|---|---|---|")
    print(f"| {WORKERS} | {count} | {60 * count / span:.0f} | {share(latency, .5):.2f} |"
          f" {share(latency, .95):.2f} | {best / span:.3f} | {best / run.wall:.3f} |", flush=True)
