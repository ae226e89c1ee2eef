"""The rules that the tree keeps. Each takes the tree and gives a line for each thing against it."""

import re

from tree import folder_of, includes, program_sources, sources, units

BASE = {"platform/base"}
JOB = BASE | {"agent/job"}
STAGES = {"agent/watch", "agent/settle", "agent/queue", "agent/convert", "agent/deliver",
          "agent/ledger"}
PLATFORM = {"platform/fs", "platform/watch", "platform/process", "platform/host", "platform/http"}
PIPELINE = BASE | PLATFORM | STAGES | {"config", "agent/job", "agent/s3", "agent/transfer",
                                       "agent/download", "agent/report"}

# unit -> what it may include. Stages are siblings: only the pipeline knows two of them.
MAY_INCLUDE = {
    "platform/base": set(),
    "platform/fs": BASE,
    "platform/watch": BASE,
    "platform/process": BASE,
    "platform/host": BASE | {"platform/fs", "platform/process"},
    "platform/http": BASE,
    "config": BASE,
    "agent/job": BASE,
    "agent/watch": JOB | {"agent/s3", "platform/fs", "platform/watch"},
    "agent/settle": JOB,
    "agent/queue": JOB,
    "agent/transfer": BASE | {"platform/fs"},
    "agent/s3": BASE | {"agent/transfer"},
    "agent/convert": JOB | {"agent/transfer", "platform/fs"},
    "agent/deliver": JOB | {"agent/s3", "platform/fs"},
    # A short pipeline of its own, made of the stages that are there.
    "agent/download": JOB | {"platform/fs", "agent/transfer", "agent/s3", "agent/deliver",
                             "agent/queue", "agent/ledger"},
    "agent/ledger": JOB | {"platform/fs"},
    "agent/report": BASE,
    "agent/control": JOB | {"platform/http", "agent/report"},
    "agent/events": BASE | {"platform/http", "agent/report"},
    "agent/serve": BASE | {"platform/fs", "platform/process", "platform/http", "agent/transfer",
                           "agent/report"},
    "agent/render": BASE | {"platform/fs", "platform/process"},
    "agent/pipeline": PIPELINE,
    "agent/cli": PIPELINE | {"agent/pipeline", "agent/control", "agent/events",
                             "agent/serve"},
}

# Start of a header's name -> the one unit whose sources may include it; None: any unit's sources.
LIBRARIES = {
    "curl/": "agent/transfer",
    "expat": "agent/s3",
    "sqlite3": "agent/ledger",
    "toml++/": "config",
    "toml.hpp": "config",
    "boost/": "platform/http",
    "vips/": "agent/render",
    "spdlog/": "agent/report",
    "fmt/": "agent/report",
    "CLI/": "agent/cli",
    "utf8proc": "agent/deliver",
    "zlib": "agent/render",
    "nlohmann/": None,
    "openssl/": None,
}
IN_HEADERS = {"nlohmann/json_fwd.hpp"}  # declares names and nothing else
C_STANDARD = {f"{name}.h" for name in (
    "assert", "ctype", "errno", "float", "inttypes", "limits", "locale", "math", "signal",
    "stdarg", "stddef", "stdint", "stdio", "stdlib", "string", "time", "wchar")}
OS_MACRO = re.compile(r"_WIN(32|64)\b|__linux|__APPLE__|__unix|__MINGW|\bWIN32\b|__FreeBSD__|_MSC_VER")
# What one source alone may call, tests excepted.
ONLY_IN = {
    r"\bcurl_easy_(init|duphandle)\b": "agent/transfer/curl_easy_handle.cpp",
    r"\bsqlite3_open": "agent/ledger/sqlite.cpp",
    r"\bvips_init\b|\bVIPS_INIT\b": "agent/render/engine_vips.cpp",
}
# What opens a file by its name or copies one, SQLite excepted.
OPENS_A_FILE = re.compile(r"\b[io]?fstream\b(?!>)|\bf(re)?open\b|\bopen(at2?)?\(|\bcreat\(|"
                          r"\bopen_directory\(|\bcopy(_file)?\(|\b(read|write)_small_file\(|"
                          r"\bAtomicFile\b|\bmmap\(")
# Who opens a file in agent/ledger: SQLite, a marker beside the ledger, the folder it lies in.
LEDGERS_OWN = re.compile(r"Database(::|> )open\(|\.suspect\"|open_directory\(folder\)")
LEDGER_NAMED = re.compile(r"\bledger_file\b|\"ledger\.db")
# What may be done with the name of the ledger's file elsewhere.
LEDGER_USED = re.compile(r"\bopen_ledger(_reader)?\(|\bexists\(ledger_file|\bowner_of\(|"
                         r"\bledger_file\.parent_path\(|\bpath_text\(ledger_file\)|\bledger_file = |"
                         r"\bpath ledger_file[;(]")
PRODUCT = ("platform", "config", "agent")
# What makes text of a path by the code page of Windows, or throws there.
NARROW_TEXT = re.compile(r"\.(generic_)?(u8)?string\(\)|\bu8string\(")
# Ends of the names of files -> the ends of those that may include such a header.
SYSTEMS = {"linux": {"linux"}, "macos": {"macos"}, "windows": {"windows"},
           "posix": {"linux", "macos", "posix"}}
TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "README.md", "agent", "platform", "config",
             "installer", "tests"}
MOST_LINES = 500
USUAL_LINES = 300


def library_of(header):
    return next((start for start in LIBRARIES if header.startswith(start)), None)


def include_table(tree):
    for path in sources(tree, *PRODUCT):
        unit = folder_of(path)
        if unit not in MAY_INCLUDE:
            yield f"{path}: the table of units has no {unit}"
            continue
        for name, mark in includes(tree[path]):
            if mark == '"' and folder_of(name) not in MAY_INCLUDE[unit] | {unit}:
                yield f"{path}: {unit} may not include {name}"


def declared_deps(tree):
    declared = units(tree)
    for unit, targets in declared.items():
        for dep in sorted({dep for one in targets for dep in one["deps"]} -
                          MAY_INCLUDE.get(unit, set())):
            yield f"{unit}: declares {dep}, which it may not include"
    for path in sources(tree, *PRODUCT):
        unit = folder_of(path)
        deps = {dep for one in declared.get(unit, []) for dep in one["deps"]} | {unit}
        if path.removeprefix(f"{unit}/") in program_sources(tree, unit):
            continue  # a program declares its libraries by their targets
        for name, mark in includes(tree[path]):
            if mark == '"' and folder_of(name) not in deps:
                yield f"{path}: includes {name}, but {unit} does not declare {folder_of(name)}"


def one_target_a_unit(tree):
    declared = units(tree)
    for unit in sorted({folder_of(path) for path in sources(tree, *PRODUCT)} | set(declared)):
        targets = declared.get(unit, [])
        if len(targets) != 1 or targets[0]["where"] != unit:
            yield f"{unit}: declared {len(targets)} times, or not in its own folder"
            continue
        listed = set(targets[0]["sources"]) | set(program_sources(tree, unit))
        there = {p.removeprefix(f"{unit}/") for p in sources(tree, unit) if p.endswith(".cpp")}
        for name in sorted(listed ^ there):
            yield f"{unit}/{name}: the folder and its CMakeLists.txt do not agree"


def libraries_in_sources(tree):
    for path in sources(tree, *PRODUCT):
        for name, _ in includes(tree[path]):
            library = library_of(name)
            if library is None:
                continue
            unit = LIBRARIES[library]
            if unit not in (None, folder_of(path)):
                yield f"{path}: {name} belongs to {unit}"
            elif (path.endswith(".hpp") and name not in IN_HEADERS and
                  not path.endswith("_asio.hpp")):
                yield f"{path}: {name} in a header"


def asio_headers_stay_home(tree):
    """A header `*_asio.hpp` shows a library's types, so only its own unit includes it."""
    for path in sources(tree):
        for name, mark in includes(tree[path]):
            if mark == '"' and name.endswith("_asio.hpp") and folder_of(name) != folder_of(path):
                yield f"{path}: includes {name} of another unit"


def is_system_header(name):
    return (("/" in name or name.endswith(".h")) and library_of(name) is None and
            name not in C_STANDARD)


def system_in_platform(tree):
    for path in sources(tree, *PRODUCT):
        at_home = path.startswith("platform/")
        stem = path.rsplit(".", 1)[0]
        for name, mark in includes(tree[path]):
            own = stem.rsplit("_", 1)[-1]
            if mark == "<" and is_system_header(name) and not (at_home and own in SYSTEMS):
                yield f"{path}: <{name}> belongs in platform/, in a file named for its system"
            of = name.removesuffix(".hpp").rsplit("_", 1)[-1]
            if mark == '"' and of in SYSTEMS and own not in SYSTEMS[of]:
                yield f"{path}: {name} is for files named *_{of}"
        for line in re.findall(r"^[ \t]*#[ \t]*(?:el)?if.*", tree[path], re.M):
            if OS_MACRO.search(line) and not at_home:
                yield f"{path}: `{line.strip()}` belongs in platform/"


def vips_in_render_only(tree):
    for path, text in tree.items():
        if not path.endswith("CMakeLists.txt"):
            continue
        text = re.sub(r"#[^\n]*", "", text)
        for words in re.findall(r"(?:target_link_libraries|millrace_unit)\(([^)]*)\)", text):
            target = words.split()[0]
            if re.search(r"vips", words, re.I) and target != "millrace_render":
                yield f"{path}: {target} links libvips"


def one_place(tree):
    for path in sources(tree, *PRODUCT):
        for pattern, home in ONLY_IN.items():
            if path != home and re.search(pattern, tree[path]):
                yield f"{path}: {pattern} belongs in {home}"


def ledger_only_by_sqlite(tree):
    """[J6]: closing any other descriptor of its file would drop SQLite's locks, and a copy made by
    hand tears (https://www.sqlite.org/howtocorrupt.html, 2.2)."""
    for path in sources(tree, *PRODUCT):
        text = re.sub(r"//[^\n]*|#include[^\n]*", "", tree[path])
        for number, line in enumerate(text.splitlines(), 1):
            if folder_of(path) == "agent/ledger":
                if OPENS_A_FILE.search(line) and not LEDGERS_OWN.search(line):
                    yield f"{path}:{number}: opens a file beside SQLite: {line.strip()}"
            elif LEDGER_NAMED.search(line) and not LEDGER_USED.search(line):
                yield f"{path}:{number}: only SQLite may open the ledger: {line.strip()}"


def paths_become_text_in_one_way(tree):
    """Names of any script survive path_text() and native_path(); on one system alone, where a path
    is bytes, its own conversion will do."""
    for path in sources(tree, *PRODUCT):
        if path.rsplit(".", 1)[0].rsplit("_", 1)[-1] in ("linux", "posix", "macos"):
            continue
        for number, line in enumerate(tree[path].splitlines(), 1):
            if NARROW_TEXT.search(line.split("//")[0]):
                yield f"{path}:{number}: path_text() and native_path() instead: {line.strip()}"


def tests_left_out_are_named(tree):
    """What a build for Windows leaves out, the document on testing names with a reason."""
    for path in sorted(tree):
        left_out = re.fullmatch(r"tests/(.+_(?:linux|posix))_test\.cpp", path)
        if left_out and f"`{left_out[1]}`" not in tree.get("agent/doc/testing.md", ""):
            yield f"{path}: agent/doc/testing.md does not say why Windows goes without"


def top_level(tree):
    there = {path.split("/")[0] for path in tree if not path.startswith(".")}
    for name in sorted(there ^ TOP_LEVEL):
        yield f"{name}: {'missing' if name in TOP_LEVEL else 'not'} at the top level"


def line_counts(tree):
    for path, text in sorted(tree.items()):
        if path.endswith((".cpp", ".hpp", ".py", ".txt")) and text.count("\n") > MOST_LINES:
            yield f"{path}: {text.count(chr(10))} lines; {MOST_LINES} is the wall"


def nothing_left_for_later(tree):
    mark = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    for path, text in sorted(tree.items()):
        for number, line in enumerate(text.splitlines(), 1):
            if mark.search(line):
                yield f"{path}:{number}: {mark.search(line)[0]}"


def long_files(tree):
    """No rule: what a reader may want to cut."""
    return sorted(((text.count("\n"), path) for path, text in tree.items()
                   if path.endswith((".cpp", ".hpp")) and text.count("\n") > USUAL_LINES),
                  reverse=True)


RULES = (include_table, declared_deps, one_target_a_unit, libraries_in_sources,
         asio_headers_stay_home, system_in_platform, vips_in_render_only, one_place,
         ledger_only_by_sqlite, paths_become_text_in_one_way, tests_left_out_are_named,
         top_level, line_counts, nothing_left_for_later)
