"""macho.py FILE...: looks through programs for macOS as they lie on disk, since they cannot run here.

A program is arm64, asks for no system newer than OLDEST, loads nothing but the system's own
libraries, has a signature, and holds no path of the machine that built it. Prints what it is, and a
line for each thing that is wrong; status 1 then.
Constants: mach-o/loader.h, and cs_blobs.h of XNU (its numbers are big-endian)."""

import re
import struct
import sys

OLDEST = (12, 0)
MAGIC_64 = 0xFEEDFACF
CPU_ARM64 = 0x0100000C
TYPE_EXECUTE = 2
PLATFORM_MACOS = 1
LOADS_A_LIBRARY = {0xC, 0x18, 0x1F, 0x23}  # plain, weak, re-exported, upward
LC_RPATH, LC_CODE_SIGNATURE, LC_BUILD_VERSION, LC_UUID = 0x1C, 0x1D, 0x32, 0x1B
REQUIRED_BY_LOADER = 0x80000000
SUPER_BLOB, CODE_DIRECTORY = 0xFADE0CC0, 0xFADE0C02
SYSTEM_LIBRARY = re.compile(r"/usr/lib/[^/]+\.dylib|/System/Library/Frameworks/")
MACHINE_PATH = re.compile(rb"/(?:home|root|work|tmp|build)/[\w.-]+/[\w./-]+")


class NoMachO(Exception):
    pass


def commands(data):
    """(command, its bytes) of every load command."""
    if len(data) < 32:
        raise NoMachO("it is too short")
    magic, cpu, _, kind, count, _, _, _ = struct.unpack_from("<8I", data)
    if magic != MAGIC_64:
        raise NoMachO(f"its first word is {magic:#x}")
    if (cpu, kind) != (CPU_ARM64, TYPE_EXECUTE):
        raise NoMachO(f"it is no program for arm64 (CPU {cpu:#x}, type {kind})")
    at = 32
    for _ in range(count):
        command, size = struct.unpack_from("<2I", data, at)
        yield command & ~REQUIRED_BY_LOADER, data[at:at + size]
        at += size


def text_in(command):
    """The text whose place within the command is its third word."""
    at = struct.unpack_from("<I", command, 8)[0]
    return command[at:].split(b"\0")[0].decode()


def version(number):
    return number >> 16, number >> 8 & 0xFF


def has_code_directory(data, command):
    at, size = struct.unpack_from("<2I", command, 8)
    blob = data[at:at + size]
    if len(blob) < 12 or struct.unpack_from(">I", blob)[0] != SUPER_BLOB:
        return False
    count = struct.unpack_from(">I", blob, 8)[0]
    places = [struct.unpack_from(">2I", blob, 12 + 8 * i)[1] for i in range(count)]
    return any(struct.unpack_from(">I", blob, place)[0] == CODE_DIRECTORY for place in places)


def look_through(data):
    """(what it is, what is wrong), lines of text each."""
    about, wrong = [], []
    signed = identified = False
    oldest = None
    try:
        for command, body in commands(data):
            if command in LOADS_A_LIBRARY:
                about.append(f"loads {text_in(body)}")
                if not SYSTEM_LIBRARY.match(text_in(body)):
                    wrong.append(f"loads {text_in(body)}, which is not the system's")
            elif command == LC_RPATH:
                wrong.append(f"searches {text_in(body)} for libraries")
            elif command == LC_BUILD_VERSION:
                platform, minimum = struct.unpack_from("<2I", body, 8)
                oldest = version(minimum) if platform == PLATFORM_MACOS else None
            elif command == LC_CODE_SIGNATURE:
                signed = has_code_directory(data, body)
            elif command == LC_UUID:
                identified = True
    except NoMachO as error:
        return about, [str(error)]
    about.append(f"runs on macOS {oldest[0]}.{oldest[1]} and newer" if oldest else "no system named")
    if oldest is None or oldest > OLDEST:
        wrong.append(f"asks for another system than macOS {OLDEST[0]}.{OLDEST[1]} and newer")
    if not signed:
        wrong.append("has no signature: arm64 refuses to run it")
    if not identified:
        wrong.append("has no UUID, by which crash reports find their symbols")
    wrong += sorted({f"holds the path {path.decode()}" for path in MACHINE_PATH.findall(data)})
    return about, wrong


def main(files):
    failed = False
    for name in files:
        with open(name, "rb") as file:
            data = file.read()
        about, wrong = look_through(data)
        print(f"{name}: {len(data)} bytes")
        for line in about + [f"WRONG: {line}" for line in wrong]:
            print(f"  {line}")
        failed = failed or bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
