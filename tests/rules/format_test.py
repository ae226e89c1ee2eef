"""Every C++ file is as clang-format 19 writes it."""

import subprocess
import sys

import tree as trees


def main():
    paths = trees.sources(trees.load())
    done = subprocess.run(["clang-format-19", "--dry-run", "-Werror", "--ferror-limit=1", *paths],
                          cwd=trees.TOP, capture_output=True, text=True)
    wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines()
                    if "[-Wclang-format-violations]" in line})
    print("\n".join(wrong) or f"{len(paths)} files are formatted")
    sys.exit(1 if wrong or done.returncode else 0)


main()
