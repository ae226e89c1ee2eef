"""The look through programs for macOS finds each fault in one made for it."""

import struct
import sys
import unittest

from macho import (CODE_DIRECTORY, CPU_ARM64, LC_BUILD_VERSION, LC_CODE_SIGNATURE, LC_RPATH,
                   LC_UUID, MAGIC_64, SUPER_BLOB, TYPE_EXECUTE, look_through)

LOAD = 0xC
SYSTEM = "/usr/lib/libSystem.B.dylib"


def command(kind, body):
    body += b"\0" * (-len(body) % 8)
    return struct.pack("<2I", kind, 8 + len(body)) + body


def library(path, kind=LOAD):
    return command(kind, struct.pack("<4I", 24, 0, 0, 0) + path.encode() + b"\0")


def rpath(path):
    return command(LC_RPATH, struct.pack("<I", 12) + path.encode() + b"\0")


def system(major, minor=0, platform=1):
    return command(LC_BUILD_VERSION, struct.pack("<4I", platform, major << 16 | minor << 8, 0, 0))


def signature(magic=CODE_DIRECTORY):
    return struct.pack(">3I2I", SUPER_BLOB, 28, 1, 0, 20) + struct.pack(">2I", magic, 8)


UUID = command(LC_UUID, b"\1" * 16)
GOOD = (library(SYSTEM), system(12), UUID)


def program(parts=GOOD, signed=signature(), cpu=CPU_ARM64, kind=TYPE_EXECUTE, tail=b""):
    parts = list(parts)
    size = sum(map(len, parts)) + (16 if signed else 0)
    if signed:
        parts.append(command(LC_CODE_SIGNATURE, struct.pack("<2I", 32 + size, len(signed))))
    head = struct.pack("<8I", MAGIC_64, cpu, 0, kind, len(parts), size, 0, 0)
    return head + b"".join(parts) + (signed or b"") + tail


class Faults(unittest.TestCase):
    def found(self, data):
        return " | ".join(look_through(data)[1])

    def test_a_good_one(self):
        self.assertEqual(self.found(program()), "")
        self.assertIn("runs on macOS 12.0 and newer", look_through(program())[0])

    def test_each_fault(self):
        rows = {
            "too short": b"MZ",
            "first word": b"\x7fELF" + b"\0" * 60,
            "no program for arm64": program(cpu=0x01000007),
            "type 6": program(kind=6),
            "/opt/lib/libz.dylib, which": program((*GOOD, library("/opt/lib/libz.dylib"))),
            "@rpath/libc++.1.dylib, which": program((*GOOD, library("@rpath/libc++.1.dylib"))),
            "/usr/lib/../a.dylib, which": program((*GOOD, library("/usr/lib/../a.dylib"))),
            "weak.dylib, which": program((*GOOD, library("weak.dylib", 0x80000018))),
            "searches /lib": program((*GOOD, rpath("/lib"))),
            "another system": program((library(SYSTEM), system(13), UUID)),
            "than macOS": program((library(SYSTEM), system(12, platform=2), UUID)),
            "macOS 12.0": program((library(SYSTEM), UUID)),
            "no signature": program(signed=None),
            "no signature:": program(signed=signature(magic=0)),
            "no UUID": program((library(SYSTEM), system(12))),
            "/home/a/b.c": program(tail=b"\0/home/a/b.c\0"),
        }
        for text, data in rows.items():
            with self.subTest(text):
                self.assertIn(text, self.found(data))


if __name__ == "__main__":
    sys.exit(unittest.main())
