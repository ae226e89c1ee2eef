"""pack.py SUITE: writes the signing vectors of the folder SUITE into one file beside this script.

SUITE is tests/aws-signing-test-suite/v4 of awslabs/aws-c-auth. A case whose expected files are
missing is none and is left out.
"""

import json
import sys
from pathlib import Path

EXPECTED = 10  # files of a whole case


def main():
    cases = {}
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        files = {file.stem: file.read_bytes().decode() for file in sorted(folder.iterdir())}
        if len(files) == EXPECTED:
            cases[folder.name] = files
    out = Path(__file__).with_name("sigv4.json")
    out.write_text(json.dumps(cases, indent=1, ensure_ascii=True) + "\n")
    print(len(cases), "cases")


main()
