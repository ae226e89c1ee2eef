"""Programs that really write into hot folders, as another user: no upload is torn. Needs root,
samba, smbclient, OpenSSH's sftp and its server, rsync, zip, SANE's test device, ImageMagick and
LibreOffice.
"""

import os
import socket
import subprocess
import time
from pathlib import Path

from harness import Scratch, count, eventually, free_port, main
from whole_files import MAKERS
from writer_desk import NOBODY, Desk, check, sha256_of

AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env",
             "HOME=/tmp"]
TYPES = ["png", "pdf", "jpg", "tif"]
EACH = count(500) // 7


def run(*words, cwd=None):
    done = subprocess.run([*AS_NOBODY, *map(str, words)], cwd=cwd, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, f"{words[0]}: {done.stdout}{done.stderr}"


def make_sources(home, prefix, files):
    """Files to be copied, each with its own bytes."""
    place = home / f"{prefix}-sources"
    place.mkdir()
    for number in range(files):
        kind = TYPES[number % len(TYPES)]
        data = MAKERS[kind](20_000 + 40_000 * (number % 9), f"{prefix}-{number}")
        (place / f"{prefix}-{number}.{kind}").write_bytes(data)
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    return place


class Samba:
    """smbd on a free port, a guest share on `folder`."""

    def __init__(self, home, folder):
        own = home / "samba"
        own.mkdir()
        self.port = free_port()
        places = "".join(f"{name} = {own}\n" for name in (
            "private dir", "lock directory", "state directory", "cache directory",
            "pid directory", "ncalrpc dir"))
        config = own / "smb.conf"
        config.write_text(f"[global]\ninterfaces = lo\nbind interfaces only = yes\n{places}"
                          f"smb ports = {self.port}\nmap to guest = Bad User\nlog level = 0\n"
                          "disable spoolss = yes\nload printers = no\n"
                          f"[scan]\npath = {folder}\nguest ok = yes\nread only = no\n"
                          "force user = nobody\n")
        self.log = open(own / "log", "wb")
        self.process = subprocess.Popen(
            ["smbd", "--foreground", "--no-process-group", "--debug-stdout", "-s", str(config)],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        eventually(self.answers, 30, "smbd")

    def answers(self):
        assert self.process.poll() is None, Path(self.log.name).read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


def converted(desk, files):
    """What the writers left is the truth: every file whole, no other bytes sent."""
    inbox = desk.folders["scans"][0]
    left = [path for path in inbox.rglob("*") if path.is_file()]
    assert len(left) >= files, f"{len(left)} files of {files}"
    truth = {}
    for path in left:
        sha = sha256_of(path)
        truth[path.name] = {"truth": [sha], "final": sha}
    desk.wait_until_converted("scans", truth)
    eventually(lambda: desk.agent.all_done("scans", files), 60, "every file")
    check(desk, truth)


def with_desk(write):
    with Scratch() as home, Desk(home, scans={}) as desk:
        inbox = desk.folders["scans"][0]
        converted(desk, write(home, inbox))


def smbclient(home, inbox):
    sources = make_sources(home, "smb", EACH)
    with Samba(home, inbox) as samba:
        for path in sorted(sources.iterdir()):
            run("smbclient", "//127.0.0.1/scan", "-p", samba.port, "-N", "-c",
                f"put {path} {path.name}")
            time.sleep(0.05)
    return EACH


def sftp(home, inbox):
    sources = make_sources(home, "sftp", EACH)
    batch = home / "batch"
    batch.write_text("".join(f"put {path} {inbox}/{path.name}\n" for path in sources.iterdir()))
    run("sftp", "-b", batch, "-D", "/usr/lib/openssh/sftp-server")
    return EACH


def rsync(home, inbox):
    plain, inplace = make_sources(home, "rsync", EACH), make_sources(home, "inplace", EACH)
    run("rsync", "-rtO", "--bwlimit=4m", f"{plain}/", inbox)
    run("rsync", "-rtO", "--inplace", "--bwlimit=4m", f"{inplace}/", inbox)
    return 2 * EACH


def unzip(home, inbox):
    sources = make_sources(home, "zip", EACH)
    for path in sources.iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))  # it sets back the time of each file
    subprocess.run(["zip", "-q", "-r", home / "all.zip", "."], cwd=sources, check=True)
    os.chmod(home / "all.zip", 0o644)
    run("unzip", "-q", home / "all.zip", "-d", inbox)
    return EACH


def scanimage(home, inbox):
    run("scanimage", "-d", "test", "--test-picture", "Color pattern", "--mode", "Color",
        "--format=png", "--batch=page-%d.png", f"--batch-count={EACH}", cwd=inbox)
    return EACH


def image_magick(home, inbox):
    for number in range(EACH):
        kind = ["png", "jpg", "tif"][number % 3]
        run("convert", "-size", "400x300", "-seed", number, "plasma:", "-attenuate", "0.5",
            "+noise", "Gaussian", f"{inbox}/im-{number}.{kind}")
    return EACH


def libre_office(home, inbox):
    sources = home / "texts"
    sources.mkdir()
    for number in range(EACH):
        (sources / f"text-{number}.txt").write_text(f"Page {number}\n" * 400)
    subprocess.run(["chmod", "-R", "a+rX", sources], check=True)
    profile = home / "profile"
    profile.mkdir()
    os.chown(profile, NOBODY, NOBODY)
    run("soffice", f"-env:UserInstallation=file://{profile}", "--headless", "--convert-to", "pdf",
        "--outdir", inbox, *sorted(sources.iterdir()))
    return EACH


def test_smbclient_into_smbd():
    with_desk(smbclient)


def test_sftp():
    with_desk(sftp)


def test_rsync_plain_and_in_place():
    with_desk(rsync)


def test_unzip_sets_old_times_A13():
    with_desk(unzip)


def test_scanimage_batch():
    with_desk(scanimage)


def test_image_magick_closes_at_zero_bytes_first_A10():
    with_desk(image_magick)


def test_libre_office_writes_beside_its_lock_A5():
    with_desk(libre_office)


main(globals())
