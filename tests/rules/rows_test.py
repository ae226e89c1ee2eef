"""Which rows of the failure catalogue a test names; status 1 if a row that had one has none.

    rows_test.py          what no test names yet
    rows_test.py --all    every row and the files that name it
"""

import re
import sys

import tree as trees

# Group letter -> how many rows it has.
GROUPS = {"A": 17, "B": 9, "C": 8, "D": 7, "E": 24, "F": 13, "G": 9, "H": 4, "I": 10, "J": 8,
          "K": 11, "M": 3, "N": 9}
# Rows of what is not built yet: probes of a watcher, asynchronous answers, crash loops, shared
# ledgers, downloads, archives, orphans of uploads in parts; and of other systems.
LATER = {"B7", "E21", "G8", "I5", "K9", "K10", "N8"}
ELSEWHERE = {"B2", "B3", "C8", "F11", "I10"}
# Rows that no test names so far. One that gets a test is taken out here, and never comes back.
NOT_YET = set()
ROWS = [f"{group}{number}" for group, most in GROUPS.items() for number in range(1, most + 1)
        if f"{group}{number}" not in LATER | ELSEWHERE]

ROW = r"[A-N]\d{1,2}"


def named_in(path, text):
    """Rows in the names of C++ tests, in the names of Python tests and in what describes those."""
    found = set()
    if path.endswith((".cpp", ".hpp")):
        # A name may go on in a second literal.
        for name in re.findall(r'(?:TEST_CASE|SECTION)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', text):
            for rows in re.findall(rf"\[((?:{ROW}[ ,]*)+)\]", name):
                found |= set(re.findall(ROW, rows))
    elif path.endswith(".py"):
        for name in re.findall(r"^\s*def (test_\w+)", text, re.M):
            found |= set(re.findall(rf"(?<=_){ROW}(?=_|$)", name))
        for rows in re.findall(rf"\[((?:{ROW}(?:-{ROW})?[ ,]*)+)\]", text):
            found |= set(re.findall(ROW, rows))
            for group, first, last in re.findall(r"([A-N])(\d+)-\1(\d+)", rows):
                found |= {f"{group}{n}" for n in range(int(first), int(last) + 1)}
    return found


def covered(tree):
    """{row: paths of the tests that name it}"""
    found = {}
    for path, text in sorted(tree.items()):
        if path.startswith("tests/") and path != "tests/rules/rows_test.py":
            for row in named_in(path, text):
                found.setdefault(row, []).append(path)
    return found


def main():
    found = covered(trees.load())
    if "--all" in sys.argv:
        for row in ROWS:
            print(f"{row:4} {' '.join(found.get(row, ['-']))}")
    bare = [row for row in ROWS if row not in found]
    print(f"{len(ROWS) - len(bare)} of {len(ROWS)} rows are named by a test; not yet: "
          f"{' '.join(bare) or 'none'}")
    gained = [row for row in sorted(NOT_YET) if row in found]
    if gained:
        print(f"take out of NOT_YET: {' '.join(gained)}")
    lost = [row for row in bare if row not in NOT_YET]
    if lost:
        print(f"lost their tests: {' '.join(lost)}")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
