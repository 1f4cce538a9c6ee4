"""Runs clang-tidy over src/: clang_tidy.py BUILD_DIRECTORY

A file that passed once is not looked at again until it, a header of the project that it includes, its compile command,
.clang-tidy or clang-tidy itself changes. What passed is remembered outside the tree, so that every checkout gains.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
JOBS = 2


def passed_directory():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(os.environ.get("VIADUCT_CACHE") or pathlib.Path(base, "viaduct")) / "clang-tidy"


def with_headers(path, seen):
    """The file and every header of the project that it includes, directly or not."""
    if path.is_file() and path not in seen:
        seen.add(path)
        for header in re.findall(r'^\s*#\s*include\s*"([^"]+)"', path.read_text(), re.MULTILINE):
            with_headers(SRC / header, seen)
    return seen


def key(path, command, tool):
    """Names everything that clang-tidy's verdict on a file hangs on, wherever the checkout is."""
    text = hashlib.sha256()
    for part in (tool, command.replace(str(ROOT), "."), (ROOT / ".clang-tidy").read_text()):
        text.update(part.encode() + b"\0")
    for file in sorted(with_headers(path, set())):
        text.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return text.hexdigest()


def tidy(path, build):
    return subprocess.run(
        ["clang-tidy-14", "--quiet", "-p", build, "--extra-arg=-Wno-unknown-warning-option", path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def main(build):
    tool = subprocess.run(["clang-tidy-14", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    passed = passed_directory()
    passed.mkdir(parents=True, exist_ok=True)

    commands = json.loads((pathlib.Path(build) / "compile_commands.json").read_text())
    sources = {pathlib.Path(entry["file"]): entry["command"] for entry in commands}
    marks = {path: passed / key(path, command, tool) for path, command in sources.items() if SRC in path.parents}
    todo = [path for path, mark in marks.items() if not mark.exists()]
    print(f"{len(marks)} files, {len(todo)} of them new or changed", flush=True)

    failed = not marks
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        runs = {pool.submit(tidy, path, build): path for path in todo}
        for run in concurrent.futures.as_completed(runs):
            path, result = runs[run], run.result()
            if result.returncode == 0:
                marks[path].touch()
            else:
                failed = True
                print(f"{path.relative_to(ROOT)}:\n{result.stdout or result.stderr}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
