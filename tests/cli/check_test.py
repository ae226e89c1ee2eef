"""`millrace check` on setups that are wrong in one way each: the real binary, its output, its exit
status. Usage: check_test.py PATH_OF_MILLRACE [unittest arguments]"""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

from refusing_server import server

MILLRACE = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else os.environ["MILLRACE"]
CANARY = "CANARY-4f1c9a77"
NOBODY = 65534
IS_ROOT = os.geteuid() == 0


def can(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


CAN_MOUNT = IS_ROOT and can("unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt")
CAN_LIMIT = can("unshare", "-r", "sh", "-c", "echo 2 > /proc/sys/user/max_inotify_watches")
HAS_RENDERER = os.path.exists(os.path.join(os.path.dirname(MILLRACE), "millrace-render"))


class Setup(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="millrace-check-")
        self.addCleanup(shutil.rmtree, self.home, True)
        for name in ("inbox", "outbox", "runtime", "config/millrace"):
            os.makedirs(self.at(name))
        os.chmod(self.at("runtime"), 0o700)
        self.env = {"HOME": self.home, "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                    "XDG_CONFIG_HOME": self.at("config"), "XDG_STATE_HOME": self.at("state"),
                    "XDG_RUNTIME_DIR": self.at("runtime"), "TMPDIR": self.at("runtime"),
                    "API_KEY": CANARY}

    def at(self, name):
        return os.path.join(self.home, name)

    def closed_port(self):
        """Bound until the test ends, so that nobody else comes to listen there."""
        kept = self.enterContext(socket.socket())
        kept.bind(("127.0.0.1", 0))
        return kept.getsockname()[1]

    def reusable_socket(self):
        one = self.enterContext(socket.socket())
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return one

    def configure(self, url, folder="", converter="", key='{ env = "API_KEY" }', more="", **keys):
        keys = {"inbox": self.at("inbox"), "outbox": self.at("outbox"), "via": "api", "to": "webp",
                **keys}
        text = f'[converter.api]\nurl = "{url}"\n{converter}\n'
        if key:
            text += f"api_key = {key}\n"
        text += f'[[folder]]\nname = "pictures"\ninbox = "{keys["inbox"]}"\n'
        text += f'outbox = "{keys["outbox"]}"\nvia = "{keys["via"]}"\nto = ["{keys["to"]}"]\n'
        self.write_config(text + folder + "\n" + more)

    def write_config(self, text):
        with open(self.at("config/millrace/config.toml"), "w") as file:
            file.write(text)

    def run_check(self, *arguments, wrap=(), uid=None):
        command = [*wrap, MILLRACE, "check", *arguments]
        extra = {}
        if uid is not None:
            for folder, _, files in os.walk(self.home):
                for name in [".", *files]:
                    os.chown(os.path.join(folder, name), uid, uid)
            extra = {"user": uid, "group": uid, "extra_groups": []}
        done = subprocess.run(command, env=self.env, cwd=self.home, capture_output=True, text=True,
                              timeout=60, **extra)
        self.assertNotIn(CANARY, done.stdout + done.stderr)
        return done

    def check(self, status, **how):
        """The findings by subject, after a look that text and JSON tell the same."""
        done = self.run_check("--json", **how)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        answer = json.loads(done.stdout)
        levels = [finding["level"] for finding in answer["findings"]]
        self.assertEqual(answer["errors"], levels.count("error"))
        self.assertEqual(answer["warnings"], levels.count("warning"))
        text = self.run_check(**how)
        self.assertEqual(text.returncode, status)
        labels = {"ok": "ok    ", "warning": "WARN  ", "error": "ERROR "}
        lines = text.stdout.splitlines()[:-1]
        self.assertEqual([line[:6] for line in lines], [labels[level] for level in levels])
        for finding in answer["findings"]:
            if finding["level"] != "ok":
                self.assertTrue(finding["what_to_do"], finding)
        self.assertFalse(os.path.exists(self.at("outbox/.millrace")))
        return {finding["subject"]: finding for finding in answer["findings"]}

    def assert_finding(self, findings, subject, level, message="", advice=""):
        self.assertIn(subject, findings)
        found = findings[subject]
        self.assertEqual(found["level"], level, found)
        self.assertIn(message, found["message"])
        self.assertIn(advice, found["what_to_do"])

    def assert_only_trouble(self, findings, *subjects):
        trouble = {name for name, found in findings.items() if found["level"] != "ok"}
        self.assertEqual(trouble, set(subjects))

    def make_certificate(self, name, host):
        path = self.at(name)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=millrace test", "-addext", f"subjectAltName={host}", "-keyout",
                        path + ".key", "-out", path + ".pem"], check=True, capture_output=True)
        return path


class Folders(Setup):
    def setUp(self):
        super().setUp()
        self.server = self.enterContext(server())
        self.url = f"http://127.0.0.1:{self.server.port}/v1/convert"

    def test_a_good_setup_has_no_errors_and_nothing_is_made_sent_or_paid(self):
        self.configure(self.url)
        findings = self.check(0)
        self.assert_only_trouble(findings)
        self.assert_finding(findings, "inbox of pictures", "ok", self.at("inbox"))
        self.assert_finding(findings, "key of api", "ok", "API_KEY")
        self.assert_finding(findings, "server of api", "ok", "answers")
        self.assert_finding(findings, "agent", "ok", "does not run")
        self.assertFalse(os.path.exists(self.at("state")))
        self.assertEqual(os.listdir(self.at("outbox")), [])
        for method, path, headers in self.server.seen:
            self.assertEqual((method, path), ("GET", "/"))
            self.assertNotIn("Authorization", headers)
        done = self.run_check()
        self.assertIn(f"ok    inbox of pictures: {self.at('inbox')}", done.stdout)
        self.assertEqual(done.stdout.splitlines()[-1], "0 errors, 0 warnings")

    def test_a_missing_inbox_is_an_error_with_the_command_that_makes_it(self):
        self.configure(self.url, inbox=self.at("nowhere"))
        findings = self.check(2)
        self.assert_only_trouble(findings, "inbox of pictures")
        self.assert_finding(findings, "inbox of pictures", "error", "does not exist",
                            f"mkdir -p {self.at('nowhere')}")

    def test_a_command_to_copy_holds_the_path_quoted(self):
        self.configure(self.url, inbox=self.at("my files"))
        self.assert_finding(self.check(2), "inbox of pictures", "error", "does not exist",
                            f"mkdir -p '{self.at('my files')}'")

    def test_an_inbox_that_is_a_file_is_an_error(self):
        open(self.at("file"), "w").close()
        self.configure(self.url, inbox=self.at("file"))
        self.assert_finding(self.check(2), "inbox of pictures", "error", "is not a folder")

    def test_an_outbox_that_cannot_be_written_is_an_error_F2(self):
        self.configure(self.url)
        os.chmod(self.at("outbox"), 0o555)
        findings = self.check(2, uid=NOBODY if IS_ROOT else None)
        self.assert_only_trouble(findings, "outbox of pictures")
        self.assert_finding(findings, "outbox of pictures", "error", "not writable", "permission")

    def test_an_inbox_must_be_writable_only_if_files_leave_it(self):
        uid = NOBODY if IS_ROOT else None
        os.chmod(self.at("inbox"), 0o555)
        self.configure(self.url)
        self.assert_only_trouble(self.check(0, uid=uid))
        self.configure(self.url, folder='after = "delete"')
        self.assert_only_trouble(self.check(2, uid=uid), "inbox of pictures")

    def test_an_archive_that_cannot_be_made_is_an_error(self):
        os.makedirs(self.at("shut"))
        os.chmod(self.at("shut"), 0o555)
        self.configure(self.url, folder=f'after = "archive"\narchive = "{self.at("shut")}/archive"')
        uid = NOBODY if IS_ROOT else None
        findings = self.check(2, uid=uid)
        self.assert_finding(findings, "archive of pictures", "error", "cannot be made")
        self.configure(self.url, folder=f'failed = "quarantine"\nquarantine = "{self.at("q")}"')
        self.assert_finding(self.check(0, uid=uid), "quarantine of pictures", "ok", "made when")
        self.assertFalse(os.path.exists(self.at("q")))

    def test_an_outbox_that_is_the_inbox_through_a_link_is_an_error(self):
        os.makedirs(self.at("inbox/below"))
        os.symlink(self.at("inbox/below"), self.at("link"))
        self.configure(self.url, outbox=self.at("link"))
        findings = self.check(2)
        self.assert_only_trouble(findings, "places")
        self.assert_finding(findings, "places", "error", "lies in its own inbox")

    @unittest.skipUnless(CAN_MOUNT, "mounting needs root")
    def test_an_outbox_that_is_the_inbox_mounted_twice_is_an_error(self):
        self.configure(self.url)
        script = f'mount --bind "{self.at("inbox")}" "{self.at("outbox")}" && exec "$@"'
        findings = self.check(2, wrap=("unshare", "-m", "sh", "-c", script, "sh"))
        self.assert_finding(findings, "places", "error", "lies in its own inbox")

    @unittest.skipUnless(CAN_MOUNT, "mounting needs root")
    def test_a_disk_that_is_low_or_full_is_told_F1(self):
        self.configure(self.url)
        for left, status, level in ((64, 0, "warning"), (4, 2, "error")):
            # 2 MiB: 64 KiB are 3 %, 4 KiB are 0.2 %.
            script = (f'cd "{self.at("outbox")}" && mount -t tmpfs -o size=2m none . && '
                      f'cd "$PWD" && '
                      f'head -c {(2048 - left) * 1024} /dev/zero > full && exec "$@"')
            findings = self.check(status, wrap=("unshare", "-m", "sh", "-c", script, "sh"))
            self.assert_only_trouble(findings, "disk of outbox of pictures")
            self.assert_finding(findings, "disk of outbox of pictures", level, "full", "make room")

    @unittest.skipUnless(CAN_LIMIT, "user namespaces are off")
    def test_a_watch_limit_below_the_number_of_folders_is_a_warning_B5(self):
        self.configure(self.url)
        for name in "abcd":
            os.makedirs(self.at(f"inbox/{name}/{name}"))
        script = 'echo 5 > /proc/sys/user/max_inotify_watches && exec "$@"'
        findings = self.check(0, wrap=("unshare", "-r", "sh", "-c", script, "sh"))
        self.assert_only_trouble(findings, "watch limit")
        self.assert_finding(findings, "watch limit", "warning", "folders to watch: 9",
                            "sysctl -w user.max_inotify_watches=")

    def test_folders_that_cannot_be_read_are_told(self):
        self.configure(self.url)
        os.makedirs(self.at("inbox/open/shut"))
        os.chmod(self.at("inbox/open/shut"), 0)
        done = self.run_check("--json", uid=NOBODY if IS_ROOT else None)
        os.chmod(self.at("inbox/open/shut"), 0o755)
        self.assertIn("folders in it that cannot be read: 1, such as " + self.at("inbox/open/shut"),
                      done.stdout)

    def test_a_running_agent_is_seen(self):
        self.configure(self.url)
        os.makedirs(self.at("state/millrace"), 0o700)
        with open(self.at("state/millrace/lock"), "w") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            self.assert_finding(self.check(0), "agent", "ok", "runs")

    def test_the_address_of_events_is_tried(self):
        self.env["PUSH"] = CANARY
        ours = self.reusable_socket()
        ours.bind(("127.0.0.1", 0))  # nobody else gets it, whether somebody listens there or not
        with self.reusable_socket() as taken:
            taken.bind(ours.getsockname())
            taken.listen()
            events = f'[events]\nlisten = "127.0.0.1:{taken.getsockname()[1]}"\n'
            secret = events + 'secret = { env = "PUSH" }\n'
            self.configure(self.url, more=secret)
            self.assert_finding(self.check(2), "events", "error", "somebody else", "`listen`")
            os.makedirs(self.at("state/millrace"), 0o700)
            with open(self.at("state/millrace/lock"), "w") as lock:
                fcntl.lockf(lock, fcntl.LOCK_EX)
                self.assert_finding(self.check(0), "events", "ok", "while the agent runs")
        self.assert_finding(self.check(0), "events", "ok", "not encrypted, on this machine")
        self.configure(self.url, more=events + 'secret = { env = "NO_SUCH_KEY" }\n')
        self.assert_finding(self.check(2), "events", "error", "NO_SUCH_KEY", "set NO_SUCH_KEY")
        self.configure(self.url, more=secret + 'certificate = "/none.pem"\nprivate_key = "/k"\n')
        self.assert_finding(self.check(2), "events", "error", "no such file", "[events]")

    def test_a_state_folder_that_cannot_be_made_is_an_error(self):
        self.configure(self.url, more=f'[agent]\nstate_dir = "{self.at("file")}/state"\n')
        open(self.at("file"), "w").close()
        self.assert_finding(self.check(2), "state folder", "error", "cannot be made")

    @unittest.skipUnless(HAS_RENDERER, "millrace-render is not built")
    def test_a_target_that_the_local_converter_lacks_is_an_error(self):
        self.configure(self.url, via="local", to="docx")
        findings = self.check(2)
        self.assert_only_trouble(findings, "targets of pictures")
        self.assert_finding(findings, "targets of pictures", "error", "docx", "webp")
        self.configure(self.url, via="local", to="webp")
        self.assert_only_trouble(self.check(0))

    @unittest.skipUnless(HAS_RENDERER, "millrace-render is not built")
    def test_options_that_the_local_converter_does_not_take_are_an_error(self):
        for options, what in (("qualty = 80", "did you mean quality?"),
                              ("quality = 800", "1 to 100"), ('fit = "crop"', "scale-down")):
            self.configure(self.url, via="local", folder=f"options = {{ {options} }}")
            findings = self.check(2)
            self.assert_only_trouble(findings, "options of pictures")
            self.assert_finding(findings, "options of pictures", "error", what, "`options`")
        self.configure(self.url, via="local", folder="options = { quality = 80, width = 65535 }")
        self.assert_only_trouble(self.check(0))
        self.assertFalse([name for name in os.listdir(self.at("runtime")) if "worker" in name])


class Keys(Setup):
    def setUp(self):
        super().setUp()
        self.server = self.enterContext(server())
        self.url = f"http://127.0.0.1:{self.server.port}/v1/convert"

    def test_a_missing_variable_is_an_error(self):
        self.configure(self.url, key='{ env = "NO_SUCH_KEY" }')
        findings = self.check(2)
        self.assert_only_trouble(findings, "key of api")
        self.assert_finding(findings, "key of api", "error", "NO_SUCH_KEY", "set NO_SUCH_KEY")

    def test_a_missing_secret_is_an_error_with_the_command_that_stores_it(self):
        self.configure(self.url, key='{ secret = "ctf" }')
        self.assert_finding(self.check(2), "key of api", "error", "ctf", "millrace secret set ctf")

    def test_a_key_file_that_others_may_read_is_an_error_M2(self):
        with open(self.at("key"), "w") as file:
            file.write(CANARY + "\n")
        os.chmod(self.at("key"), 0o644)
        self.configure(self.url, key=f'{{ file = "{self.at("key")}" }}')
        self.assert_finding(self.check(2), "key of api", "error", "others may read", "chmod 600")
        os.chmod(self.at("key"), 0o600)
        self.assert_finding(self.check(0), "key of api", "ok", self.at("key"))

    def test_a_stored_secret_that_others_may_read_is_told_M2(self):
        self.configure(self.url)
        os.makedirs(self.at("config/millrace/secrets"), 0o700)
        with open(self.at("config/millrace/secrets/old"), "w") as file:
            file.write(CANARY)
        os.chmod(self.at("config/millrace/secrets/old"), 0o640)
        self.assert_finding(self.check(0), "secret files", "warning", "others may read",
                            "chmod 600")

    def configure_store(self, keys, outbox="s3://shop@pictures/out/"):
        self.configure(self.url, outbox=outbox, more=f"""[s3.shop]
endpoint = "http://127.0.0.1:{self.closed_port()}"
{keys}""")

    def test_the_keys_and_the_trust_of_a_store_are_looked_at(self):
        self.env["KEY_ID"] = CANARY
        key_id = 'access_key_id = { env = "KEY_ID" }\nsecret_access_key = '
        self.configure_store(key_id + '{ env = "NO_SUCH_KEY" }\nsession_token = { secret = "token" }')
        if "there is no S3 in this build" in self.run_check().stderr:
            self.skipTest("no S3 in this build")
        findings = self.check(2)
        self.assert_only_trouble(findings, "secret_access_key of store shop",
                                 "session_token of store shop")
        self.assert_finding(findings, "secret_access_key of store shop", "error", "NO_SUCH_KEY",
                            "set NO_SUCH_KEY")
        self.assert_finding(findings, "session_token of store shop", "error", "token",
                            "millrace secret set token")
        sound = key_id + '{ env = "API_KEY" }\n'
        gone = f'ca_file = "{self.at("gone.pem")}"\n'
        self.configure_store(sound + gone)
        findings = self.check(2)
        self.assert_only_trouble(findings, "ca_file of store shop")
        self.assert_finding(findings, "ca_file of store shop", "error", "is not there", "[s3.shop]")
        self.configure_store(sound + gone, outbox=self.at("outbox"))
        self.assert_finding(self.check(0), "ca_file of store shop", "warning")
        self.configure_store(sound)
        self.assert_finding(self.check(0), "store shop", "ok", "can be read")
        self.configure_store("")
        self.assert_finding(self.check(0), "store shop", "ok", "AWS")

    def test_a_converter_that_no_folder_uses_gives_warnings_only(self):
        self.configure(self.url, more=f"""[converter.spare]
url = "http://127.0.0.1:{self.closed_port()}/v1/convert"
api_key = {{ env = "NO_SUCH_KEY" }}
""")
        findings = self.check(0)
        self.assert_only_trouble(findings, "key of spare", "server of spare")
        self.assert_finding(findings, "server of spare", "warning", "cannot connect")


class Servers(Setup):
    def test_a_closed_port_is_an_error_E7(self):
        port = self.closed_port()
        self.configure(f"https://127.0.0.1:{port}/v1/convert?token={CANARY}")
        findings = self.check(2)
        self.assert_only_trouble(findings, "server of api")
        self.assert_finding(findings, "server of api", "error",
                            f"cannot connect to 127.0.0.1:{port}", "firewall")

    def test_a_host_that_is_not_known_is_an_error(self):
        self.configure("https://no-such-host.invalid/v1/convert")
        self.assert_finding(self.check(2), "server of api", "error", "no-such-host.invalid")

    def test_a_certificate_that_is_not_trusted_is_an_error_that_names_the_trust_E8(self):
        own = self.make_certificate("own", "IP:127.0.0.1")
        other = self.make_certificate("other", "IP:127.0.0.1")
        with server(own) as https:
            url = f"https://127.0.0.1:{https.port}/v1/convert"
            self.configure(url)
            self.assert_finding(self.check(2), "server of api", "error", "not trusted by /etc/ssl",
                                "set `ca_file`")
            self.configure(url, converter=f'ca_file = "{other}.pem"')
            self.assert_finding(self.check(2), "server of api", "error",
                                f"not trusted by {other}.pem", f"{other}.pem")
            self.configure(url, converter=f'ca_file = "{self.at("gone.pem")}"')
            self.assert_finding(self.check(2), "server of api", "error", self.at("gone.pem"),
                                "`ca_file`")
            self.configure(url, converter=f'ca_file = "{own}.key"')
            self.assert_finding(self.check(2), "server of api", "error", f"{own}.key", "PEM file")
            self.assertEqual(https.seen, [])
            self.configure(url, converter=f'ca_file = "{own}.pem"')
            self.assert_finding(self.check(0), "server of api", "ok", f"trusted by {own}.pem")

    def test_a_certificate_for_another_host_is_an_error_E8(self):
        own = self.make_certificate("own", "DNS:other.example")
        with server(own) as https:
            self.configure(f"https://127.0.0.1:{https.port}/v1/convert",
                           converter=f'ca_file = "{own}.pem"')
            self.assert_finding(self.check(2), "server of api", "error", "certificate of",
                                "host name that the certificate is for")
            self.assertEqual(https.seen, [])

    def test_a_server_without_tls_is_told(self):
        with server() as http_only:
            self.configure(f"https://127.0.0.1:{http_only.port}/v1/convert")
            self.assert_finding(self.check(2), "server of api", "error", "no TLS",
                                "scheme and port")

    def test_a_wrong_clock_is_a_warning_and_then_an_error_H1(self):
        for ahead, status, level, words in ((300, 0, "warning", "behind"),
                                            (-300, 0, "warning", "ahead of"),
                                            (3600, 2, "error", "behind")):
            with server(ahead=ahead) as skewed:
                self.configure(f"http://127.0.0.1:{skewed.port}/v1/convert")
                findings = self.check(status)
                subject = f"clock against http://127.0.0.1:{skewed.port}"
                self.assert_only_trouble(findings, subject)
                self.assert_finding(findings, subject, level, words, "set the clock")


class Configuration(Setup):
    def refused(self, text):
        """Lines on stderr, and the problems as JSON tells them."""
        self.write_config(text)
        plain = self.run_check()
        self.assertEqual((plain.returncode, plain.stdout), (2, ""))
        as_json = self.run_check("--json")
        self.assertEqual((as_json.returncode, as_json.stderr), (2, ""))
        return plain.stderr, json.loads(as_json.stdout)["error"]["problems"]

    def test_broken_toml_is_told_with_line_and_column(self):
        text, problems = self.refused('[agent]\nworkers = = 3\n')
        self.assertIn("config.toml:2:", text)
        self.assertEqual(problems[0]["line"], 2)

    def test_every_mistake_is_told_at_once(self):
        text, problems = self.refused('[agent]\nworker = 3\n[[folder]]\nname = "a"\ninbox = 1\n')
        self.assertIn("did you mean `workers`", text)
        self.assertGreaterEqual(len(problems), 3)
        self.assertEqual(len(text.splitlines()), len(problems))

    def test_a_contradiction_is_told(self):
        text, _ = self.refused(f"""[converter.api]
url = "https://api.example/v1/convert"
[[folder]]
name = "a"
inbox = "{self.at("inbox")}"
outbox = "{self.at("inbox/out")}"
to = ["webp"]
via = "api"
""")
        self.assertIn("lies in its own inbox", text)

    def test_no_configuration_leads_to_init(self):
        done = self.run_check()
        self.assertEqual(done.returncode, 2)
        self.assertIn("millrace init", done.stderr)

    def test_a_configuration_without_folders_is_an_error_as_run_says(self):
        self.write_config("")
        self.assert_finding(self.check(2), "configuration", "error", "no [[folder]]")
        os.chmod(self.at("config/millrace/config.toml"), 0o666)
        said = self.run_check().stdout
        self.assertTrue("everybody may change" in said and "no [[folder]]" in said, said)


if __name__ == "__main__":
    unittest.main()
