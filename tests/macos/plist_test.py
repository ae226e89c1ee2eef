"""plist_test.py SAMPLE: the property lists for launchd are some, and hold what launchd.plist(5) takes.

SAMPLE prints the list for the paths that it is given (plist_sample.cpp). plutil is Apple's alone;
plistutil is the reader of libplist, plistlib that of Python."""

import plistlib
import subprocess
import sys
import tempfile
from pathlib import Path

# launchd.plist(5): the keys that are used, and their types.
KEYS = {
    "Label": str,
    "ProgramArguments": list,
    "UserName": str,
    "RunAtLoad": bool,
    "KeepAlive": dict,
    "ThrottleInterval": int,
    "ExitTimeOut": int,
    "ProcessType": str,
    "LowPriorityIO": bool,
    "StandardErrorPath": str,
}
KEEP_ALIVE = {"SuccessfulExit": bool, "Crashed": bool}
PROCESS_TYPES = {"Background", "Standard", "Adaptive", "Interactive"}
# Seconds: an agent stops in less than 5, and one that fails is not started again and again.
STOPS_IN, STARTS_APART = 5, 10

PLACES = [
    ("/usr/local/bin/millrace", "/Users/ada/config.toml", "/Users/ada/Library/Logs/Millrace.log"),
    ("/Users/ada/my programs/millrace",
     "/Users/ada/Library/Application Support/Millrace/config.toml", "/Users/ada/a b.log"),
    ("/Users/jürgen/Prüfung/millrace", "/Users/jürgen/Scans 📄/größe.toml", "/tmp/ü.log"),
    ("/opt/R&D <neu>/millrace", "/opt/\"quoted\" 'too'/&amp;.toml", "/opt/]]>.log"),
]


def list_for(sample, *words):
    return subprocess.run([sample, *words], check=True, capture_output=True, timeout=30).stdout


def check_with_plistutil(data):
    """Reads it and writes it again in the binary form, and gives that."""
    with tempfile.TemporaryDirectory() as folder:
        text, binary = Path(folder, "a.plist"), Path(folder, "a.bplist")
        text.write_bytes(data)
        done = subprocess.run(["plistutil", "-i", text, "-o", binary, "-f", "bin"],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"plistutil: {done.stderr}\n{data.decode()}"
        return binary.read_bytes()


def check_types(found):
    for name, value in found.items():
        assert name in KEYS, f"launchd has no use for {name}"
        # A bool is an int to Python, and another thing to launchd.
        assert type(value) is KEYS[name], f"{name} is a {type(value).__name__}"
    for name, value in found["KeepAlive"].items():
        assert type(value) is KEEP_ALIVE[name], f"KeepAlive {name}"
    assert all(type(word) is str for word in found["ProgramArguments"])


def check_values(found, places, user):
    program, config, errors = places
    assert found["Label"] == "com.millrace.agent", found["Label"]
    assert found["ProgramArguments"] == [program, "run", "--config", config], found
    assert found["StandardErrorPath"] == errors, found
    assert found.get("UserName") == user, found
    assert found["RunAtLoad"] is True
    # True alone would start it again after each stop.
    assert found["KeepAlive"] == {"SuccessfulExit": False}, found
    assert found["ProcessType"] in PROCESS_TYPES, found
    assert found["LowPriorityIO"] is False
    assert found["ExitTimeOut"] > STOPS_IN
    assert found["ThrottleInterval"] >= STARTS_APART


def main(sample):
    for places in PLACES:
        for user in (None, "ada"):
            data = list_for(sample, *places, *([user] if user else []))
            found = plistlib.loads(data, fmt=plistlib.FMT_XML)
            check_types(found)
            check_values(found, places, user)
            binary = check_with_plistutil(data)
            assert plistlib.loads(binary, fmt=plistlib.FMT_BINARY) == found
    refused = subprocess.run([sample, "/a\tb", "/c", "/d"], capture_output=True, timeout=30)
    assert refused.returncode == 1 and not refused.stdout, refused
    print(f"{2 * len(PLACES)} property lists are well formed and hold what they should")


if __name__ == "__main__":
    main(sys.argv[1])
