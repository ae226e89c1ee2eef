"""The tree as a mapping from path to text, and the units that its CMake files declare."""

import os
import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
NOT_OURS = {"build", "__pycache__"}
SOURCE = (".cpp", ".hpp")
TEXT = (".cpp", ".hpp", ".py", ".txt", ".md", ".sh", ".json", ".toml", ".conf", "")


def load(top=TOP):
    """Every text of ours; folders whose name begins with a dot hold none."""
    tree = {}
    for folder, folders, files in os.walk(top):
        folders[:] = [f for f in folders if f not in NOT_OURS and not f.startswith(".")]
        for name in files:
            path = Path(folder, name)
            if path.suffix in TEXT and not name.startswith("."):
                tree[str(path.relative_to(top))] = path.read_text(errors="replace")
    return tree


def sources(tree, *below):
    """Paths of the C++ files beneath the folders named."""
    return [path for path in sorted(tree)
            if path.endswith(SOURCE) and (not below or path.startswith(tuple(f"{b}/" for b in below)))]


def includes(text):
    """(name, "\"" or "<") of each include."""
    for mark, name in re.findall(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', text, re.M):
        yield name, mark


def folder_of(path):
    return path.rsplit("/", 1)[0]


def _calls(text, function):
    text = re.sub(r"#[^\n]*", "", text)
    return [words.split() for words in re.findall(rf"\b{function}\(([^)]*)\)", text)]


def _part(words, name, others):
    if name not in words:
        return []
    rest = words[words.index(name) + 1:]
    ends = [i for i, word in enumerate(rest) if word in others]
    return rest[:ends[0]] if ends else rest


def units(tree):
    """{unit: {"sources", "deps", "libraries"}} as millrace_unit() declares them."""
    keywords = {"SOURCES", "DEPS", "PRIVATE_LIBS"}
    found = {}
    for path, text in tree.items():
        if not path.endswith("CMakeLists.txt") or path == "CMakeLists.txt":
            continue
        for words in _calls(text, "millrace_unit"):
            found.setdefault(words[0], []).append({
                "where": folder_of(path),
                "sources": _part(words, "SOURCES", keywords),
                "deps": _part(words, "DEPS", keywords),
                "libraries": _part(words, "PRIVATE_LIBS", keywords)})
    return found


def program_sources(tree, folder):
    """Sources that add_executable() of that folder names."""
    text = tree.get(f"{folder}/CMakeLists.txt", "")
    return [word for words in _calls(text, "add_executable") for word in words[1:]]
