"""What a user of Linux and of Windows sees alike. RUNNER stands before the program: for Windows
it is Wine, which shows this machine's folders as drive Z."""

import json
import os
import subprocess

from harness import MILLRACE, ApiServer, Scratch, converter_toml, folder_toml, main, png

RUNNER = os.environ.get("RUNNER", "").split()
# Umlauts, an emoji of one and of several code points, a device of DOS, an accent by itself.
NAMES = ["plain.png", "two words.png", "größe.png", "\U0001f4f7.png", "UPPER.PNG", "con.png",
         "Grüße \U0001f469\u200d\U0001f680.png", "cafe\u0301.png", "日本.png"]
HOME = "Bücher \U0001f4da"


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
        (home / box).mkdir(parents=True)
    config = home / "config.toml"
    config.write_text(f'[agent]\nstate_dir = "{native(home / "state")}"\n' +
                      converter_toml(api.url) +
                      folder_toml("pictures", native(home / "in"), native(home / "out")))
    return ["--config", native(config)]


def long_name(folder, name):
    """A name beneath `folder` whose whole path has more than 300 characters."""
    parts = []
    while len(str(folder)) + 31 * len(parts) + len(name) + 1 <= 300:
        parts.append("ordner mit längerem namen %04d" % len(parts))
    return "/".join([*parts, name])


def filled(folder):
    """Every name of NAMES in it, and two at the end of a long path; their names beneath it."""
    names = NAMES + [long_name(folder, name) for name in ("größe.png", "\U0001f4f7.png")]
    assert all(len(str(folder / name)) > 300 for name in names[-2:])
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(8, 8, number))
    return names


def results(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def converted(names):
    """What becomes of these names; con.webp would be a device of Windows."""
    return sorted(name[:-len("png")].replace("con.", "%63on.") + "webp" for name in names)


def test_help_version_and_wrong_use():
    status, out, _ = millrace("--version")
    assert status == 0 and out.startswith("millrace "), out
    status, out, _ = millrace("--help")
    assert status == 0 and "convert" in out and "Exit status" in out, out
    status, _, err = millrace("comvert")
    assert status == 2 and "there is no command `comvert`" in err, err


def test_convert_and_again_without_a_request():
    with Scratch() as home, ApiServer() as api:
        source = home / HOME / "a"
        names = filled(source)
        words = ["convert", native(source), "--to", "webp", "--out", native(home / HOME / "out"),
                 "--url", api.url, "--state-dir", native(home / "state"), "--workers", "4"]
        status, summary = as_json(*words)
        assert status == 0 and summary["delivered"] == len(names), summary
        there = results(home / HOME / "out")
        assert there == converted(names), there
        assert api.bill()["posts"] == len(names)
        assert as_json(*words)[0] == 0 and api.bill()["posts"] == len(names)


def test_convert_files_by_their_names_beside_them():
    with Scratch() as home, ApiServer() as api:
        source = home / HOME
        names = filled(source)
        words = ["convert", *(native(source / name) for name in names), "--to", "webp",
                 "--url", api.url, "--state-dir", native(home / "state")]
        status, summary = as_json(*words)
        assert status == 0 and summary["delivered"] == len(names), summary
        there = results(source)
        assert there == sorted([*names, *converted(names)]), there
        status, _, err = millrace("convert", native(source / "größer.png"), *words[-6:])
        assert status == 2 and "größer.png" in err, err


def test_check_finds_nothing_wrong_and_a_missing_inbox():
    with Scratch() as home, ApiServer() as api:
        home = home / HOME
        config = configured(home, api)
        status, report = as_json("check", *config)
        assert status == 0 and report["errors"] == 0, report
        inbox = next(one for one in report["findings"] if one["subject"] == "inbox of pictures")
        assert inbox["level"] == "ok" and HOME in inbox["message"], inbox
        (home / "in").rmdir()
        status, report = as_json("check", *config)
        assert status == 2 and report["errors"] > 0, report
        inbox = next(one for one in report["findings"] if one["subject"] == "inbox of pictures")
        assert inbox["level"] == "error" and "does not exist" in inbox["message"], inbox
        assert inbox["what_to_do"].startswith("mkdir \"Z:\\" if RUNNER else "mkdir -p '/"), inbox
        assert "chmod" not in json.dumps(report) or not RUNNER, report


def test_formats_and_check_say_where_there_is_no_local_converter():
    with Scratch() as home, ApiServer() as api:
        config = configured(home / HOME, api)
        file = home / HOME / "config.toml"
        file.write_text(file.read_text().replace('via = "api"', 'via = "local"'))
        status, out, err = millrace("formats")
        checked, said, wrong = millrace("check", *config)
        if os.path.exists(os.path.join(os.path.dirname(MILLRACE), "millrace-render")):
            assert status == 0 and "webp" in out and checked == 0, out + err + said + wrong
        else:
            assert status == 2 and "millrace-render" in err and "url" in err, err
            assert checked == 2 and "millrace-render" in wrong and "url" in wrong, said + wrong


def test_run_once_status_and_explain():
    with Scratch() as home, ApiServer() as api:
        home = home / HOME
        config = configured(home, api)
        names = filled(home / "in")
        status, out, err = millrace("run", "--once", *config)
        assert status == 0, out + err
        assert results(home / "out") == converted(names), results(home / "out")
        bill = api.bill()
        assert bill["posts"] == len(names) and bill["mismatches"] == 0, bill
        folder = as_json("status", *config)[1]["folders"][0]
        assert folder["delivered"] == len(names) and folder["failed"] == 0, folder
        assert folder["inbox"].replace("\\", "/") == native(home / "in"), folder
        for name in names:
            says = as_json("explain", native(home / "in" / name), *config)[1]["says"]
            result = converted([name])[0]
            assert any(f"delivered as {result}" in line for line in says), (name, says)


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
