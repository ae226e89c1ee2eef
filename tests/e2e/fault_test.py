"""Everything that an API and the network do wrong: after it ends every file is right, every POST on
the wire was recorded before it was sent, and nothing was billed twice."""

from bench import Bench
from books import attempts
from harness import ApiServer, count, eventually, main, png

# Each costs its file an attempt; the next one is served well.
TRANSIENT = """
reset at=0
reset at=0.01
reset at=0.5
reset at=0.99
close-after-upload
truncate=0.5 framing=length
truncate=0.5 framing=short
truncate=0.5 framing=none
truncate=0.5 framing=chunked
truncate=0.99 framing=short
close-delimited
html
json
empty
magic
partial
id
status=204 body=none
status=408
status=425
status=500
status=500 body=html
status=502 body=html
status=503
status=504 body=none
status=520
hang
slow bytes=16 ms=5
endless
big-headers bytes=2000000
stall-upload at=0.5
chunked
no-continue
delay ms=300
""".strip().splitlines()


def test_after_every_fault_each_file_is_right_and_billed_once():
    """[E5] [E9] [E10] [E12] [E13] [E14] [E16] [E17]: by the key's first byte each file meets one
    fault with its first request."""
    files = max(count(2000), 3 * len(TRANSIENT))
    script = "\n".join(f"key={byte:02x} try=1 {TRANSIENT[byte % len(TRANSIENT)]}"
                       for byte in range(256))
    with Bench(max_answer="10MB", timeout="2s") as bench:
        bench.server.faults(script)
        bench.agent.start()
        bench.drop(files, size=20_000)
        bill = bench.finish(files)
        assert bill["posts"] > files * 1.5, bill


def test_a_storm_of_faults_by_chance_loses_nothing():
    files = count(1000)
    with Bench() as bench:
        bench.server.faults("try=1-3 p=0.5 close-after-upload\ntry=1-3 p=0.5 status=503\n"
                            "try=1-3 p=0.3 reset at=0.5\ntry=1-3 p=0.3 truncate=0.3")
        bench.agent.start()
        bench.drop(files)
        bench.finish(files)


def test_a_reused_connection_that_dies_after_the_upload_carries_one_attempt():
    """[E11]: libcurl would send the request again by itself; the count of POSTs shows it."""
    files = count(400)
    with Bench(concurrency=2) as bench:
        bench.server.faults("every=3 try=1-3 close-after-upload")
        bench.agent.start()
        bench.drop(files)
        bill = bench.finish(files)
        assert bill["connections"] < bill["posts"], bill  # connections were reused
        assert bill["unanswered"] >= files // 3, bill


def test_429_in_every_form_pauses_the_account_and_costs_no_attempt():
    """[E4]"""
    for answer in ("retry-after=1", "retry-after=date:2", "", "retry-after=-5", "retry-after=soon"):
        with Bench() as bench:
            bench.server.faults(f"times=3 status=429 {answer}")
            bench.agent.start()
            bench.drop(4)
            bill = bench.finish(4, 60)
            assert 1 <= bill["status"]["429"] <= 4, bill


def test_503_with_retry_after_is_a_rate_limit():
    with Bench() as bench:
        bench.server.faults("times=3 status=503 retry-after=1")
        bench.agent.start()
        bench.drop(4)
        bench.finish(4, 60)


def expect_stopped(bench, files, state, word):
    """The converter stands with a reason, all files stay, and nothing asks again and again."""
    gate = bench.gate_that_is(state)
    assert word in gate["reason"], gate
    eventually(lambda: bench.gate()["in_flight"] == 0, 30, "the end of what was under way")
    assert len(list(bench.inbox().iterdir())) == files
    eventually(lambda: bench.agent.folder("pictures")["waiting"] == files, 30, "the record of it")
    posts = bench.server.bill()["posts"]
    assert posts <= 16, posts
    bench.drop(1, first=1000)
    eventually(lambda: bench.agent.folder("pictures")["waiting"] == files + 1, 30, "a new file")
    assert bench.server.bill()["posts"] == posts


def test_401_403_404_402_and_redirects_stop_the_converter_until_a_person_says_so():
    """[E1] [E2] [E3] [E15]"""
    with ApiServer() as other:
        for fault, state in (("status=401", "stopped"), ("status=403", "stopped"),
                             ("status=404 body=html", "stopped"), ("status=402", "paused"),
                             ("status=429 code=quota_exceeded", "paused"),
                             (f"redirect=307 to={other.url}", "stopped")):
            with Bench() as bench:
                bench.server.faults(fault)
                bench.agent.start()
                bench.drop(20)
                expect_stopped(bench, 20, state, fault.split("=")[1][:3])
                bench.server.faults("")
                bench.agent.command("resume", "api")
                bench.finish(21)
        assert other.bill()["posts"] == 0


def test_a_new_key_is_taken_up_by_itself():
    """[E2]"""
    with Bench("--require-token", "right") as bench:
        key = bench.home / "key"
        key.write_text("wrong\n")
        key.chmod(0o600)
        bench.keys["api_key"] = {"file": str(key)}
        bench.write_config()
        bench.agent.start()
        bench.drop(20)
        expect_stopped(bench, 20, "stopped", "401")
        key.write_text("right\n")
        bench.finish(21)


def test_an_early_401_ends_a_paused_upload_of_100_mb():
    """[E2]: the answer comes while most of the file is still to be sent."""
    with Bench(max_size="200MB") as bench:
        bench.server.faults("early=401 at=0.01")
        bench.agent.start()
        aside = bench.home / "large"
        with open(aside, "wb") as large:
            large.write(png(8, 8, 1)[:-12])
            large.truncate(100_000_000)
            large.seek(0, 2)
            large.write(png(8, 8, 1)[-12:])
        aside.rename(bench.inbox() / "large.png")
        bench.gate_that_is("stopped")
        bill = bench.server.bill()
        assert bill["posts"] == 1 and bill["complete"] == 0, bill
        assert bill["body_bytes"] < 50_000_000, bill
        assert attempts(bench.ledger) == 1
        bench.server.faults("")
        bench.agent.command("resume", "api")
        bench.finish(1)


def test_a_final_error_of_the_api_fails_the_file_with_its_words():
    """[E1]"""
    with Bench() as bench:
        bench.server.faults("status=422 code=broken_input message=This_is_no_picture.")
        bench.agent.start()
        bench.drop(3)
        eventually(lambda: bench.agent.folder("pictures")["failed"] == 3, 30, "three failures")
        rows = bench.agent.command("failures")["failures"]
        assert all("This is no picture." in row["reason"] for row in rows), rows
        assert bench.server.bill()["posts"] == 3
        bench.server.faults("")
        bench.agent.command("retry", "--all")
        bench.finish(3)


if __name__ == "__main__":
    main(globals())
