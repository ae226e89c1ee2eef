"""`millrace convert`: what may be named, where results lie, how it ends, what it shows."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

from commands_test import User, pictures
from harness import (MILLRACE, Agent, ApiServer, Scratch, converter_toml, eventually, folder_toml,
                     main, png)


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def to_api(api, *more):
    """Options for the stand-in API, without a configuration file."""
    return ["--url", api.url, *more]


def test_file_folder_and_pattern_to_two_formats_and_again_without_a_request():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        pictures(home / "a", range(3))
        pictures(home / "a/deep", range(3, 5))
        pictures(home / "b", range(5, 8))
        pictures(home / "c", range(8, 9))
        words = ["convert", "c/8.png", "a", "b/*.png", "--to", "webp,jpg", "--out", "out",
                 "--options", "quality=80,strip=true", *to_api(api, "--workers", "4")]
        summary = user.json(*words)
        assert summary["type"] == "summary" and summary["delivered"] == 18, summary
        wanted = [f"{n}.{to}" for n in ("0", "1", "2", "5", "6", "7", "8", "deep/3", "deep/4")
                  for to in ("webp", "jpg")]
        assert names(home / "out") == sorted(wanted), names(home / "out")
        assert api.bill()["posts"] == 18
        assert "0 converted" in user.says(*words) and api.bill()["posts"] == 18
        pictures(home / "a", [20])
        assert user.json(*words)["delivered"] == 2 and api.bill()["posts"] == 20


def test_a_file_beside_a_folder_narrows_nothing_but_its_own_folder():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        pictures(home / "a", [1])  # its name comes before those of the folders
        pictures(home / "a/sub", [2, 3])
        pictures(home / "b/out", [4])
        words = ["convert", "a/1.png", "a/sub", "b", "--to", "webp", "--out", "a/sub/out"]
        assert user.json(*words, *to_api(api))["delivered"] == 4
        assert names(home / "a/sub/out") == ["1.webp", "2.webp", "3.webp", "out/4.webp"]


def test_files_may_follow_the_options_of_the_converter():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        pictures(home / "a", range(2))
        summary = user.json("convert", "--to", "webp", "--out", "o", *to_api(api), "--options",
                            "quality=80", "a/0.png", "a/1.png")
        assert summary["delivered"] == 2 and names(home / "o") == ["0.webp", "1.webp"], summary


def test_without_out_results_lie_beside_their_sources_and_are_not_converted_again():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        pictures(home / "a", range(2))
        pictures(home / "a/deep", range(2, 4))
        words = ["convert", "a", "--to", "webp", *to_api(api)]
        assert user.json(*words)["delivered"] == 4
        both = sorted(f"{n}.{end}" for n in ("0", "1", "deep/2", "deep/3")
                      for end in ("png", "webp"))
        assert names(home / "a") == both, names(home / "a")
        again = user.json(*words)
        assert again["delivered"] == 0 and again["failed"] == 0, again
        assert names(home / "a") == both and api.bill()["posts"] == 4


def test_the_embedded_converter_needs_no_configuration():
    with Scratch() as home:
        user = User(home)
        pictures(home / "a", range(2))
        assert "2 converted" in user.says("convert", "a", "--to", "jpg", "--out", "out",
                                          "--state-dir", "state")
        assert all((home / "out" / f"{n}.jpg").read_bytes()[:2] == b"\xff\xd8" for n in range(2))
        assert (home / "state/batch").is_dir() and not (home / ".local").exists()
        (home / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\ngarbage")  # its decoder says nothing
        said = user.says("convert", "bad.png", "--to", "webp", "--out", "o", status=1)
        assert "conversion_failed: the file is damaged" in said, said


def test_raw_upload_and_a_key_from_the_environment():
    with Scratch() as home, ApiServer("--require-token", "sesame") as api:
        user = User(home)
        pictures(home / "a", range(2))
        words = ["convert", "a", "--to", "webp", "--out", "o",
                 *to_api(api, "--upload", "raw", "--api-key-env", "MY_KEY")]
        assert "MY_KEY is not set" in user.says(*words, status=2)
        # A key that is refused stops the batch; the right one takes the same batch up.
        user.environment["MY_KEY"] = "wrong"
        assert "stopped" in user.says(*words, status=4)
        user.environment["MY_KEY"] = "sesame"
        assert user.json(*words)["delivered"] == 2
        assert "link" in user.says("convert", "a", "--to", "webp", "--out", "p", *to_api(
            api, "--upload", "url"), status=2)


def test_wrong_use_says_what_is_wrong():
    with Scratch() as home:
        user = User(home)
        pictures(home / "a", [1])
        for more, word in ((["nothing.png", "--to", "webp"], "nothing.png"),
                           (["a/*.gif", "--to", "webp"], "a/*.gif"),
                           (["a"], "--to"), (["--to", "webp"], "FILE"),
                           (["a", "--to", ","], "--to"),
                           (["a", "--to", "webp", "--options", "80"], "quality=80"),
                           (["a", "--to", "webp", "--max-failures", "few"], "--max-failures"),
                           (["a", "--to", "webp", "--patience", "long"], "duration"),
                           (["a", "--to", "webp", "--via", "nobody"], "init"),
                           (["a", "--to", "webp", "--url", "http://example.com/"], "https"),
                           (["a", "--to", "webp", "--url", "nonsense"], "cannot be read")):
            said = user.says("convert", *more, status=2)
            assert word in said, (more, said)

def test_what_would_never_work_is_refused_at_once():
    with Scratch() as home:
        user = User(home)
        pictures(home / "a", [1, 2])
        (home / "a/link.png").symlink_to("1.png")
        os.mkfifo(home / "a/pipe.png")
        (home / "file").write_bytes(b"")
        for more, word in ((["a/link.png"], "links are not followed; name the file itself: a/1.png"),
                           (["a/l*.png"], "no such file"), (["a/pipe.png"], "no regular file"),
                           (["a", "--out", "file"], "file is not a folder"),
                           (["a", "--out", "file/below"], "file is not a folder"),
                           (["a", "--to", "../x"], '"../x" is no format'),
                           (["a", "--api-key-env", "K"], "--url"), (["a", "--ca-file", "x"], "x"),
                           (["a", "--ca-file", "file"], "--url"),
                           (["a", "--upload", "raw"], "--url"),
                           (["a", "--url", "https://localhost/", "--ca-file", "no.pem"], "no.pem"),
                           (["a", "--url", "https://localhost/", "--via", "local"], "--via")):
            to = [] if "--to" in more else ["--to", "webp"]
            said = user.says("convert", *more, *to, "--patience", "1s", status=2)
            assert word in said, (more, said)
        assert not (home / ".local").exists()


def test_other_batches_with_the_same_destination_are_not_told_and_not_waited_for():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        for seed, place in enumerate("abc"):
            pictures(home / place, [seed])
        words = ["--to", "webp", "--out", "out", *to_api(api)]
        api.faults("times=1 status=422 code=broken message=not_a_picture body=json\n")
        failed = user.run("convert", "a/0.png", *words, "--json", status=1).stdout
        rows = [json.loads(line) for line in failed.splitlines()]
        assert [(r["file"], r["to"]) for r in rows if r["type"] == "failed"] == [("0.png", "webp")]
        assert "not a picture" in failed, failed
        api.faults("status=503 retry-after=3600\n")
        waits = user.run("convert", "b", *words, "--patience", "10s", "--json", status=1).stdout
        assert '"type":"waiting"' in waits and "1.png" in waits, waits
        api.faults("")
        said = user.says("convert", "c", *words, "--patience", "20s")
        assert "1 converted, 0 skipped, 0 failed (" in said and ".png" not in said, said


def test_failures_that_are_not_named_are_counted_and_push_none_of_another_command_out():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        pictures(home / "a", [0])
        pictures(home / "b", range(1, 1002))
        api.faults("status=422 code=broken message=not_a_picture body=json\n")
        words = ["--to", "webp", "--out", "o", "--state-dir", "state", *to_api(api)]
        user.json("convert", "a", *words, status=1)
        many = user.json("convert", "b", *words, status=1)
        assert many["failed"] == 1001 and many["more"] == 1, many
        assert "failed: 1 more" in user.says("convert", "b", *words, status=1)
        first = user.says("convert", "a", *words, status=1)
        assert "failed: 0.png to webp" in first and " more" not in first, first
        # They stand where the batches keep their ledgers.
        assert "millrace init" in user.says("failures", status=2)
        told = user.json("failures", "--state-dir", "state")
        assert len(told["batches"]) == 1000 and told["more_in_batches"] == 2, told
        assert "\n2 more\n" in user.says("failures", "--state-dir", "state")


def test_failures_end_with_1_too_many_with_4():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        pictures(home / "a", range(60))
        api.faults("seq=1-2 status=422 code=broken message=not_a_picture body=json\n")
        words = ["convert", "a", "--to", "webp", "--out", "o", *to_api(api, "--workers", "1")]
        said = user.says(*words, status=1)
        assert "58 converted, 0 skipped, 2 failed" in said and "not a picture" in said, said
        assert "failed: " in said and ".png to webp" in said, said
        api.faults("seq=1-4 status=422 code=broken message=not_a_picture body=json\nhang\n")
        pictures(home / "b", range(60, 160))
        before = api.bill()["posts"]
        stopped = user.says("convert", "b", "--to", "webp", "--out", "q", *to_api(
            api, "--max-failures", "3", "--workers", "1"), status=4)
        assert "--max-failures 3" in stopped, stopped
        assert api.bill()["posts"] - before <= 5, api.bill()["posts"] - before


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_failures_stand_in_a_file_as_they_happen_and_again_after_a_kill():
    with Scratch() as home, ApiServer("--latency-ms", "20") as api:
        user = User(home)
        pictures(home / "a", range(30))
        api.faults("seq=1-3 status=422 code=broken message=not_a_picture body=json\n")
        # In the folder that is converted, where people put it; it is no source.
        words = ["convert", "a", "--to", "webp", "--out", "o", "--failures", "a/failed.jsonl",
                 *to_api(api, "--workers", "1")]
        failed = home / "a/failed.jsonl"
        batch = start(user, words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: failed.exists() and failed.read_text().count("\n") == 3, 60,
                   "three failures in the file")
        batch.kill()
        batch.wait()
        first = rows_of(failed)
        assert {row["kind"] for row in first} == {"input"}, first
        assert all(row["http_status"] == 422 and row["attempts"] == 1 and row["to"] == "webp" and
                   "not a picture" in row["reason"] and row["time"].endswith("Z")
                   for row in first), first
        assert {os.path.dirname(row["source"]) for row in first} == {str(home / "a")}, first
        api.faults("")
        summary = user.json(*words, status=1)
        assert summary["failed"] == 0, summary
        assert sorted(map(str, rows_of(failed))) == sorted(map(str, first)), failed.read_text()
        assert len(names(home / "o")) == 27, names(home / "o")
        # `millrace failures` knows them too, without a configuration and without an agent.
        told = user.json("failures")
        assert sorted(row["file"] for row in told["batches"]) == sorted(
            os.path.basename(row["source"]) for row in first), told
        assert told["failures"] == [] and told["batches"][0]["http_status"] == 422, told
        said = user.says("failures")
        assert said.count("not a picture") == 3 and "millrace convert" in said, said
        assert "retry" not in said, said


def test_a_file_of_failures_that_cannot_be_written_is_told_before_anything_is_sent():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        pictures(home / "a", [1])
        words = ["convert", "a", "--to", "webp", "--out", "o", *to_api(api)]
        picture = (home / "a/1.png").read_bytes()
        for path, word in (("none/failed.jsonl", "none"), ("a", "--failures"),
                           ("a/1.png", "holds no failures")):
            said = user.says(*words, "--failures", path, status=2)
            assert word in said, said
        assert api.bill()["posts"] == 0 and (home / "a/1.png").read_bytes() == picture


def test_the_summary_tells_rate_latency_and_the_share_that_failed():
    with Scratch() as home, ApiServer("--latency-ms", "50") as api:
        user = User(home)
        pictures(home / "a", range(20))
        api.faults("seq=1-2 status=422 code=broken message=not_a_picture body=json\n")
        words = ["convert", "a", "--to", "webp", "--out", "o", *to_api(api, "--workers", "2")]
        summary = user.json(*words, status=1)
        assert summary["failure_share"] == 0.1 and summary["per_second"] > 0, summary
        assert summary["p95_ms"] >= 48, summary
        pictures(home / "a", range(20, 24))
        said = user.says(*words, status=1)
        assert re.search(r"^in \d+ s: \d+ a minute, 0.0% failed, p95 \d+ ms$", said, re.M), said
        again = user.says(*words, status=1)
        assert "a minute" not in again, again


def test_a_share_of_failures_is_judged_by_what_was_tried_and_not_by_what_was_skipped():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        pictures(home / "a", range(200))
        words = ["convert", "a", "--to", "webp", "--out", "o", "--max-failures", "10%",
                 *to_api(api, "--workers", "1")]
        user.json(*words)
        for path in (home / "state", home / ".local"):  # what lies in o is found there
            shutil.rmtree(path, ignore_errors=True)
        pictures(home / "a", range(200, 320))
        api.faults("seq=1-50 status=422 code=broken message=not_a_picture body=json\nhang\n")
        before = api.bill()["posts"]
        assert "--max-failures 10%" in user.says(*words, status=4)
        assert 50 <= api.bill()["posts"] - before <= 51, api.bill()["posts"] - before


def test_patience_ends_a_batch_that_does_not_move():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        pictures(home / "a", range(2))
        api.faults("status=503 retry-after=60\n")
        began = time.monotonic()
        said = user.says("convert", "a", "--to", "webp", "--out", "o", *to_api(
            api, "--patience", "10s"), status=1)
        assert "2 still waiting" in said and time.monotonic() - began < 50, said
        assert re.search(r"waiting: [01]\.png to webp: .", said), said


def test_a_file_that_a_program_still_writes_when_patience_ends_is_told():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        pictures(home / "a", [0])
        (home / "o").mkdir()
        (home / "config.toml").write_text(converter_toml(api.url) + folder_toml(
            "pictures", home / "a", home / "o"))
        with open(home / "a/1.png", "wb") as writer:
            writer.write(png(8, 8, 1))
            writer.flush()
            said = user.says("convert", "a", "--to", "webp", "--out", "p", *to_api(
                api, "--patience", "10s"), status=1)
            assert "1 converted, 0 skipped, 0 failed" in said, said
            assert "1 file was not whole yet when --patience ended" in said, said
            left = user.json("run", "--once", "--config", "config.toml", "--patience", "10s", status=1)
            assert left["delivered"] == 1 and "not whole yet" in left["left_out"], left
        assert user.json("run", "--once", "--config", "config.toml")["delivered"] == 1


def test_of_many_files_that_wait_the_tried_are_told_and_the_rest_is_counted():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        pictures(home / "a", range(30))
        api.faults("status=503 retry-after=60\n")
        said = user.says("convert", "a", "--to", "webp", "--out", "o", *to_api(
            api, "--patience", "10s", "--workers", "1"), status=1)
        lines = [line for line in said.splitlines() if line.startswith("waiting: ")]
        assert "30 still waiting" in said and len(lines) == 21, said
        assert not any(line.endswith(": ") for line in lines), said
        assert re.match(r"waiting: \d+\.png to webp: .", lines[0]), lines[0]
        assert re.fullmatch(r"waiting: \d+\.png to webp", lines[-2]), lines[-2]
        assert lines[-1] == "waiting: 10 more", lines[-1]


def start(user, words, **streams):
    return subprocess.Popen([MILLRACE, *words], env=user.environment, cwd=user.home, **streams)


def test_interrupted_it_ends_with_130_and_goes_on_where_it_was():
    with Scratch() as home, ApiServer("--latency-ms", "150") as api:
        user = User(home)
        pictures(home / "a", range(30))
        words = ["convert", "a", "--to", "webp", "--out", "o", *to_api(api, "--workers", "2")]
        batch = start(user, words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        eventually(lambda: api.bill()["posts"] >= 4, 30, "the first files")
        api.latency("2000")  # so that it does not come to its end before it is interrupted
        again = user.says(*words, status=3)
        assert "another instance runs" in again, again
        batch.send_signal(signal.SIGINT)
        out, _ = batch.communicate(timeout=60)
        assert batch.returncode == 130 and "still waiting" in out, (batch.returncode, out)
        api.latency("0")
        done = len(names(home / "o"))
        assert user.json(*words)["delivered"] == 30 - done
        assert len(names(home / "o")) == 30 and api.bill()["billed"] == 30, api.bill()


def test_it_runs_beside_an_agent():
    with Scratch() as home, ApiServer() as api:
        pictures(home / "in", [1])
        (home / "out").mkdir()
        pictures(home / "a", [2])
        with Agent(home / "agent", folder_toml("p", home / "in", home / "out", via="local")) as agent:
            agent.start()
            done = subprocess.run([MILLRACE, "convert", str(home / "a"), "--to", "webp", "--config",
                                   str(agent.config), "--json"], env=agent.environment,
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout.splitlines()[-1])["delivered"] == 1


def on_a_terminal(user, words):
    """What a terminal of 80 columns gets on standard error."""
    ours, theirs = pty.openpty()
    batch = start(user, words, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert batch.wait(30) == 0
    return shown.decode()


def test_progress_is_drawn_on_a_terminal_and_told_in_lines_elsewhere():
    with Scratch() as home, ApiServer("--latency-ms", "100") as api:
        user = User(home)
        pictures(home / "a", range(40))

        def words(out):
            return ["convert", "a", "--to", "webp", "--out", out, *to_api(api, "--workers", "2")]
        shown = on_a_terminal(user, words("o1"))
        assert re.search(r"\d+ of 40 files", shown) and "left" in shown, shown
        assert "p95" in shown, shown
        assert "a minute" in shown and shown.count("\r") > 3 and "\n" not in shown, shown
        user.environment["NO_COLOR"] = "1"
        assert not re.search(r"\x1b\[[0-9;]*m", on_a_terminal(user, words("o2")))
        del user.environment["NO_COLOR"]
        quiet = user.run(*words("o3"))
        assert "\x1b" not in quiet.stdout + quiet.stderr and "\r" not in quiet.stderr, quiet
        shutil.rmtree(home / "a")
        pictures(home / "a", range(40, 80))  # the server answers what it knows without delay
        lines = [json.loads(line) for line in user.run(*words("o4"), "--json").stdout.splitlines()]
        assert lines[-1]["type"] == "summary"
        assert {line["type"] for line in lines[:-1]} == {"progress"}, lines
        last = [line for line in lines[:-1] if line["waiting"] > 0][-1]
        assert last["total"] == last["done"] + last["waiting"] >= 40, last
        assert last["per_second"] > 0 and last["seconds_left"] >= 0 and last["p95_ms"] > 90, last
        assert last["failure_share"] == 0, last


if __name__ == "__main__":
    main(globals())
