"""Checks, from the #include lines, who includes whom in src/, and that CMake knows every source file.

check_includes.py [ROOT] checks the project, --self-test checks this program on a small tree full of mistakes.
"""
import pathlib
import re
import sys
import tempfile

# Each folder of src/, and the folders that it may include besides itself.
MAY_INCLUDE = {
    "base": "",
    "model": "base",
    "topology": "base model",
    "sshkeys": "base",
    "launcher": "base model topology sshkeys",
    "hosts": "base model sshkeys launcher",
    "bridge": "base model sshkeys",
    "slurm": "base model sshkeys bridge",
    "k8s": "base model sshkeys bridge",
    "cli": "base model topology sshkeys launcher hosts bridge slurm k8s",
}

# Third-party headers, by how they begin, and the folders that may include them.
THIRD_PARTY = {
    "nlohmann/": "base",
    "yaml.h": "base",
    "fmt/": "base",
    "spdlog/": "base",
    "hwloc": "topology",
    "libssh/": "sshkeys",
    "openssl/": "sshkeys",
    "curl/": "slurm k8s",
    "CLI/": "cli",
}
SYSTEM = ("arpa/", "linux/", "net/", "netinet/", "sys/")

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def wrong_include(src, folder, quote, header):
    """What is wrong with one #include line of a folder, or None."""
    if quote == '"':
        target = header.split("/")[0]
        if not (src / header).is_file():
            return "is not a file of src/"
        if target != folder and target not in MAY_INCLUDE[folder].split():
            return f"{folder} may not include {target}"
        return None
    for prefix, folders in THIRD_PARTY.items():
        if header.startswith(prefix):
            return None if folder in folders.split() else f"belongs in src/{folders.replace(' ', ' or src/')} alone"
    if "/" in header and not header.startswith(SYSTEM):
        return "is a third-party header that check_includes.py does not know"
    return None


def is_listed(source):
    """Whether the nearest CMakeLists.txt above a source file names it."""
    for directory in source.parents:
        lists = directory / "CMakeLists.txt"
        if lists.is_file():
            words = re.sub(r"#.*", "", lists.read_text()).replace("(", " ").replace(")", " ").split()
            return source.relative_to(directory).as_posix() in words
    return False


def mistakes(root):
    src = root / "src"
    paths = sorted(p for p in src.rglob("*") if p.suffix in (".h", ".cc"))
    if not paths:
        yield f"{src}: has no source file"
    for path in paths:
        name = path.relative_to(root).as_posix()
        folder = path.relative_to(src).parts[0]
        if folder not in MAY_INCLUDE:
            yield f"{name}: check_includes.py does not know the folder src/{folder}"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            include = INCLUDE.match(line)
            wrong = include and wrong_include(src, folder, *include.groups())
            if wrong:
                yield f"{name}:{number}: {include[2]}: {wrong}"
        if path.suffix == ".cc" and not is_listed(path):
            yield f"{name}: is not in its CMakeLists.txt"


def self_test():
    tree = {
        "src/base/CMakeLists.txt": "add_library(base good.cc) # forgotten.cc",
        "src/base/good.h": "#include <sys/wait.h>\n#include <string>\n#include <nlohmann/json.hpp>",
        "src/base/good.cc": '#include "base/good.h"',
        "src/base/forgotten.cc": "",
        "src/base/upwards.h": '#include "model/nouns.h"',
        "src/model/nouns.h": '#include "base/good.h"\n#include "base/gone.h"\n  # include <nlohmann/json.hpp>',
        "src/launcher/backends.h": '#include "bridge/core.h"\n#include <boost/asio.hpp>',
        "src/bridge/core.h": "#include <curl/curl.h>\n#include <hwloc.h>",
        "src/bridge/names.h": '#include "cli/main.h"',
        "src/cli/main.h": '#include "bridge/core.h"\n#include <CLI/CLI.hpp>',
        "src/extra/x.h": "",
    }
    expected = """\
src/base/forgotten.cc: is not in its CMakeLists.txt
src/base/upwards.h:1: model/nouns.h: base may not include model
src/bridge/core.h:1: curl/curl.h: belongs in src/slurm or src/k8s alone
src/bridge/core.h:2: hwloc.h: belongs in src/topology alone
src/bridge/names.h:1: cli/main.h: bridge may not include cli
src/extra/x.h: check_includes.py does not know the folder src/extra
src/launcher/backends.h:1: bridge/core.h: launcher may not include bridge
src/launcher/backends.h:2: boost/asio.hpp: is a third-party header that check_includes.py does not know
src/model/nouns.h:2: base/gone.h: is not a file of src/
src/model/nouns.h:3: nlohmann/json.hpp: belongs in src/base alone""".splitlines()
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, text in tree.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        found = list(mistakes(root))
    for line in sorted(set(expected) - set(found)):
        print(f"not found: {line}")
    for line in sorted(set(found) - set(expected)):
        print(f"found without need: {line}")
    return found == expected


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    found = list(mistakes(pathlib.Path(arguments[0] if arguments else ".").resolve()))
    print(*found, sep="\n")
    return not found


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
