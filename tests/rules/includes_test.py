"""Checks the tree against rules.py, and each rule against a tree that breaks it."""

import sys

import rules
import tree as trees


def sound_tree():
    """The smallest tree that keeps every rule."""
    found = {name: "" for name in rules.TOP_LEVEL if "." in name}
    found["installer/quickstart"] = found["tests/a.py"] = found["config/a.hpp"] = ""
    found["config/CMakeLists.txt"] = "millrace_unit(config SOURCES a.cpp DEPS platform/base)"
    found["config/a.cpp"] = '#include "config/a.hpp"\n#include "platform/base/b.hpp"\n'
    found["platform/base/b.hpp"] = "#include <vector>\n"
    found["platform/base/b_linux.cpp"] = "#include <unistd.h>\n#if defined(__linux__)\n#endif\n"
    found["platform/base/b_windows.cpp"] = "#include <windows.h>\n"
    found["platform/base/CMakeLists.txt"] = (
        "millrace_unit(platform/base SOURCES b_linux.cpp b_windows.cpp)")
    found["agent/settle/s.cpp"] = ""
    found["agent/settle/CMakeLists.txt"] = "millrace_unit(agent/settle SOURCES s.cpp DEPS)"
    return found


# rule, path, text that breaks it (None: the path is taken away)
BROKEN = (
    (rules.include_table, "agent/settle/s.cpp", '#include "agent/queue/q.hpp"\n'),
    (rules.include_table, "agent/settle/s.cpp", '#include "config/a.hpp"\n'),
    (rules.include_table, "platform/base/b.hpp", '#include "platform/fs/f.hpp"\n'),
    (rules.include_table, "agent/novel/n.cpp", ""),
    (rules.declared_deps, "agent/settle/s.cpp", '#include "platform/base/b.hpp"\n'),
    (rules.declared_deps, "agent/settle/CMakeLists.txt",
     "millrace_unit(agent/settle SOURCES s.cpp DEPS agent/queue)"),
    (rules.one_target_a_unit, "agent/settle/t.cpp", ""),
    (rules.one_target_a_unit, "agent/settle/s.cpp", None),
    (rules.one_target_a_unit, "agent/settle/CMakeLists.txt", ""),
    (rules.one_target_a_unit, "agent/settle/CMakeLists.txt",
     "millrace_unit(agent/settle SOURCES s.cpp)\nmillrace_unit(agent/settle SOURCES s.cpp)"),
    (rules.libraries_in_sources, "config/a.hpp", "#include <toml++/toml.h>\n"),
    (rules.libraries_in_sources, "config/a.cpp", "#include <curl/curl.h>\n"),
    (rules.libraries_in_sources, "config/a.hpp", "#include <nlohmann/json.hpp>\n"),
    (rules.libraries_in_sources, "platform/base/b.hpp", "#include <boost/asio.hpp>\n"),
    (rules.asio_headers_stay_home, "config/a.cpp", '#include "platform/http/t_asio.hpp"\n'),
    (rules.system_in_platform, "agent/settle/s.cpp", "#include <sys/stat.h>\n"),
    (rules.system_in_platform, "agent/settle/s.cpp", "#ifdef _WIN32\n#endif\n"),
    (rules.system_in_platform, "agent/settle/s.cpp", "#elif defined(__APPLE__)\n"),
    (rules.system_in_platform, "platform/base/b.hpp", "#include <fcntl.h>\n"),
    (rules.system_in_platform, "config/a.cpp", '#include "platform/base/b_linux.hpp"\n'),
    (rules.system_in_platform, "platform/base/b_windows.cpp", '#include "platform/base/b_linux.hpp"\n'),
    (rules.vips_in_render_only, "agent/settle/CMakeLists.txt",
     "millrace_unit(agent/settle SOURCES s.cpp DEPS PRIVATE_LIBS PkgConfig::VIPS)"),
    (rules.vips_in_render_only, "agent/cli/CMakeLists.txt",
     "target_link_libraries(millrace PRIVATE PkgConfig::VIPS)"),
    (rules.one_place, "agent/settle/s.cpp", "auto* h = curl_easy_init();\n"),
    (rules.one_place, "agent/settle/s.cpp", "sqlite3_open_v2(a, b, c, d);\n"),
    (rules.ledger_only_by_sqlite, "agent/cli/c.cpp", "std::ifstream in(ledger_file(settings));\n"),
    (rules.ledger_only_by_sqlite, "agent/cli/c.cpp", "fs::copy_file(dir / \"ledger.db\", to);\n"),
    (rules.ledger_only_by_sqlite, "agent/cli/c.cpp", "::open((state / \"ledger.db-wal\").c_str());\n"),
    (rules.ledger_only_by_sqlite, "agent/ledger/l.cpp", "std::ofstream out(path);\n"),
    (rules.ledger_only_by_sqlite, "agent/ledger/l.cpp", "fs::copy_file(path, backup, error);\n"),
    (rules.ledger_only_by_sqlite, "agent/ledger/l.cpp", "auto file = directory.open(name);\n"),
    (rules.paths_become_text_in_one_way, "agent/settle/s.cpp", "auto t = path.string();\n"),
    (rules.paths_become_text_in_one_way, "platform/base/b_windows.cpp",
     "fs::path p(std::u8string(text.begin(), text.end()));\n"),
    (rules.tests_left_out_are_named, "tests/settle/s_linux_test.cpp", ""),
    (rules.top_level, "src/main.cpp", ""),
    (rules.top_level, "README.md", None),
    (rules.line_counts, "agent/settle/s.cpp", "\n" * (rules.MOST_LINES + 1)),
    (rules.nothing_left_for_later, "agent/settle/s.cpp", "// TO" "DO\n"),
)


def test_each_rule_sees_its_breach():
    sound = sound_tree()
    wrong = []
    for rule in rules.RULES:
        wrong += [f"{rule.__name__} blames a sound tree: {line}" for line in rule(sound)]
        if all(case[0] is not rule for case in BROKEN):
            wrong.append(f"{rule.__name__} was never seen to fail")
    for rule, path, text in BROKEN:
        broken = dict(sound)
        if text is None:
            del broken[path]
        else:
            broken[path] = text
        if not list(rule(broken)):
            wrong.append(f"{rule.__name__} does not see {path}: {text!r}")
    return wrong


def test_the_tree_keeps_the_rules():
    tree = trees.load()
    return [f"{rule.__name__}: {line}" for rule in rules.RULES for line in rule(tree)]


def main():
    wrong = test_each_rule_sees_its_breach() + test_the_tree_keeps_the_rules()
    print("\n".join(wrong) or "the tree keeps its rules")
    for lines, path in rules.long_files(trees.load()):
        print(f"note: {path} has {lines} lines; {rules.USUAL_LINES} is usual")
    sys.exit(1 if wrong else 0)


main()
