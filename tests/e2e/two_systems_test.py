"""What a user of Linux and of Windows sees alike. RUNNER stands before the program: for Windows
it is Wine, which shows this machine's folders as drive Z."""

import json
import os
import subprocess

from harness import MILLRACE, ApiServer, Scratch, converter_toml, folder_toml, main, png

RUNNER = os.environ.get("RUNNER", "").split()
NAMES = ["plain.png", "two words.png", "größe.png", "\U0001f4f7.png", "UPPER.PNG"]


def native(path):
    """The path as the program under test names it."""
    return f"Z:{path}" if RUNNER else str(path)


def millrace(*words, said=""):
    """Status, standard output and standard error."""
    done = subprocess.run([*RUNNER, MILLRACE, *words], input=said.encode(), capture_output=True,
                          timeout=300)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def as_json(*words):
    status, out, err = millrace(*words, "--json")
    try:
        return status, json.loads(out.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise AssertionError(f"{words}: status {status}: {out}{err}") from None


def configured(home, api):
    """A configuration with one folder."""
    for box in ("in", "out"):
        (home / box).mkdir()
    config = home / "config.toml"
    config.write_text(f'[agent]\nstate_dir = "{native(home / "state")}"\n' +
                      converter_toml(api.url) +
                      folder_toml("pictures", native(home / "in"), native(home / "out")))
    return ["--config", native(config)]


def test_help_version_and_wrong_use():
    status, out, _ = millrace("--version")
    assert status == 0 and out.startswith("millrace "), out
    status, out, _ = millrace("--help")
    assert status == 0 and "convert" in out and "Exit status" in out, out
    status, _, err = millrace("comvert")
    assert status == 2 and "there is no command `comvert`" in err, err


def test_convert_and_again_without_a_request():
    with Scratch() as home, ApiServer() as api:
        (home / "a").mkdir()
        for number, name in enumerate(NAMES):
            (home / "a" / name).write_bytes(png(8, 8, number))
        words = ["convert", native(home / "a"), "--to", "webp", "--out", native(home / "out"),
                 "--url", api.url, "--state-dir", native(home / "state"), "--workers", "4"]
        status, summary = as_json(*words)
        assert status == 0 and summary["delivered"] == len(NAMES), summary
        there = sorted(path.name for path in (home / "out").iterdir())
        assert there == sorted(name[:-3] + "webp" for name in NAMES), there
        assert api.bill()["posts"] == len(NAMES)
        assert as_json(*words)[0] == 0 and api.bill()["posts"] == len(NAMES)


def test_check_finds_nothing_wrong_and_a_missing_inbox():
    with Scratch() as home, ApiServer() as api:
        config = configured(home, api)
        status, report = as_json("check", *config)
        assert status == 0 and report["errors"] == 0, report
        (home / "in").rmdir()
        status, report = as_json("check", *config)
        assert status == 2 and report["errors"] > 0, report


def test_run_once_status_and_explain():
    with Scratch() as home, ApiServer() as api:
        config = configured(home, api)
        for number, name in enumerate(NAMES):
            (home / "in" / name).write_bytes(png(8, 8, number))
        status, out, err = millrace("run", "--once", *config)
        assert status == 0, out + err
        assert len(list((home / "out").iterdir())) == len(NAMES)
        bill = api.bill()
        assert bill["posts"] == len(NAMES) and bill["mismatches"] == 0, bill
        folder = as_json("status", *config)[1]["folders"][0]
        assert folder["delivered"] == len(NAMES) and folder["failed"] == 0, folder
        said = as_json("explain", native(home / "in" / "größe.png"), *config)[1]["says"]
        assert any("delivered as größe.webp" in line for line in said), said


def test_a_secret_is_kept_and_removed():
    with Scratch() as home, ApiServer() as api:
        config = configured(home, api)
        status, _, err = millrace("secret", "set", "ctf", *config, said="CANARY\n")
        assert status == 0, err
        kept = (home / "secrets" / "ctf").read_bytes()
        assert (b"CANARY" in kept) == (not RUNNER), kept  # Windows encrypts it
        assert millrace("secret", "rm", "ctf", *config)[0] == 0
        assert not (home / "secrets" / "ctf").exists()


main(globals())
