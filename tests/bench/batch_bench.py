"""Batches: `millrace convert` beside curl --parallel and an httpx script."""

import shutil

import harness
from measure import (best_schedule, fill, let_settle, median, read_book, run_curl, run_httpx,
                     run_millrace, share, span_of)

# As the API's own guide tells it: median 0.8 s, p95 at 2.6 times that (2.6 = exp(1.645 * sigma)).
LATENCY = "lognormal:800:0.581:7"
TABLE = {1: 50, 5: 150, 10: 300, 20: 1000}  # workers, files


def against(contender, scratch, name, inbox, workers, count, *server):
    """One run against a server of its own; the run and what the server saw."""
    place = scratch / name
    place.mkdir()
    book = place / "book"
    with harness.ApiServer("--bill-book", str(book), *server) as api:
        run = contender(api.url, inbox, place / "out", workers, count, place)
        api.process.terminate()
        api.process.wait()
    posts = read_book(book)
    outputs = len(list((place / "out").iterdir()))
    if outputs != count or len(posts) != count:
        raise RuntimeError(f"{name}: {outputs} results, {len(posts)} requests for {count} files")
    shutil.rmtree(place)
    return run, posts


def table(scratch, less):
    inbox = scratch / "in"
    fill(inbox, max(TABLE.values()) // less, 20_000)
    let_settle()
    print("| workers | files | client | files/min | p50 s | p95 s | of the best schedule |"
          " with start and end |")
    print("|---|---|---|---|---|---|---|---|")
    for workers, full in TABLE.items():
        count = max(full // less, 2 * workers)
        for name, contender in (("httpx", run_httpx), ("millrace", run_millrace)):
            run, posts = against(contender, scratch, f"{name}-{workers}", inbox, workers, count,
                                 "--latency", LATENCY)
            span = span_of(posts)
            latency = [post["latency_us"] / 1e6 for post in posts]
            print(f"| {workers} | {count} | {name} | {60 * count / span:.0f} |"
                  f" {share(latency, .5):.2f} | {share(latency, .95):.2f} |"
                  f" {best_schedule(posts, workers) / span:.3f} |"
                  f" {best_schedule(posts, workers) / run.wall:.3f} |", flush=True)


def batch(scratch, less):
    count, workers, rounds = 10_000 // less, 20, 3
    inbox = scratch / "in"
    fill(inbox, count, 20_000)
    let_settle()
    contenders = {"curl": (run_curl, count), "httpx": (run_httpx, count // 5),
                  "millrace": (run_millrace, count)}
    rates, costs = {}, {}
    for turn in range(rounds):
        for name, (contender, files) in contenders.items():
            run, _ = against(contender, scratch, f"{name}-{turn}", inbox, workers, files,
                             "--output-bytes", "10000")
            rates.setdefault(name, []).append(files / run.wall)
            costs.setdefault(name, []).append(1e6 * run.cpu / files)
    print(f"{count} files of 20 KB, answers of 10 KB, {workers} at a time, median of {rounds}")
    print("| client | files/s | to curl | CPU us a file | to curl |")
    print("|---|---|---|---|---|")
    for name in contenders:
        to_curl = median([mine / curl for mine, curl in zip(rates[name], rates["curl"])])
        cost_to_curl = median([mine / curl for mine, curl in zip(costs[name], costs["curl"])])
        print(f"| {name} | {median(rates[name]):.0f} | {to_curl:.2f} |"
              f" {median(costs[name]):.0f} | {cost_to_curl:.2f} |")
