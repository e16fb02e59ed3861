"""What can be imported and what can be typed: the public surface, frozen."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import subprocess
import sys

import pytest
import typer

import assay
from assay.cli.main import app

HEAVY = ("torch", "web3", "onnxruntime", "llvmlite", "onnx", "eth", "scipy", "sklearn")

SUBMITTER = ["--dir", "--help", "--json", "--network"]
COMMANDS = {
    "assay": ["--help", "--version"],
    "assay attack": ["--dir", "--help", "--json", "--list", "[NAME]..."],
    "assay cancel": ["TASK", *SUBMITTER],
    "assay demo": ["--cheat", "--dir", "--help", "--json", "--threads"],
    "assay devnet": ["--help"],
    "assay devnet down": ["--dir", "--help", "--json"],
    "assay devnet status": ["--dir", "--help", "--json"],
    "assay devnet up": ["--dir", "--help", "--json", "--solvers", "--verifiers", "--whistleblowers"],
    "assay conformance": ["--engine", "--filter", "--help", "--json"],
    "assay doctor": ["--help", "--json"],
    "assay earnings": ["--account", "--dir", "--help", "--json", "--network", "--rpc"],
    "assay fetch": ["--out -o", "TASK", *SUBMITTER],
    "assay replay": ["--help", "--interval", "--json", "--threads", "BUNDLE"],
    "assay simulate": ["--help", "--json", "--population", "--seed", "--tasks"],
    "assay solver": ["--cheat", "--dir", "--help", "--leave", "--network", "--port", "--rate", "--rpc", "--threads"],
    "assay submit": ["--detach", "--rate", "--yes -y", "--out -o", "FILE.py[:function] | TASK.toml", *SUBMITTER],
    "assay tasks": SUBMITTER,
    "assay verifier": ["--cheat", "--dir", "--help", "--leave", "--network", "--port", "--rpc", "--threads"],
    "assay watch": ["TASK", *SUBMITTER],
    "assay whistleblower": [
        *["--dir", "--doubt", "--help", "--leave", "--network", "--others", "--port", "--replays", "--rpc", "--share"],
        "--threads",
    ],
}
"""Every command with its flags: a new one is added here on purpose, or not at all."""


def modules() -> list[str]:
    found = [
        info.name for info in pkgutil.walk_packages(assay.__path__, "assay.") if not info.name.endswith("__main__")
    ]
    return ["assay", *found]


def style(name: str) -> tuple[int, list[int | str]]:
    """Constants, then classes, then the rest, numbers by value: the order that the linter keeps."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


@pytest.mark.parametrize("name", modules())
def test_all_is_sorted_and_can_be_imported(name):
    module = importlib.import_module(name)
    # A module without one is imported for what it registers, or holds nothing (`assay.cli`, `assay.roles`).
    public = getattr(module, "__all__", [])
    assert len(set(public)) == len(public)
    assert list(public) == sorted(public, key=style)
    for each in public:
        assert getattr(module, each) is not None


def test_every_package_with_names_says_which_are_public():
    for info in pkgutil.walk_packages(assay.__path__, "assay."):
        module = importlib.import_module(info.name) if info.ispkg else None
        own = [n for n, v in vars(module or object).items() if getattr(v, "__module__", "") == info.name]
        assert not own or hasattr(module, "__all__"), info.name


def commands() -> dict[str, typer.core.TyperCommand]:
    found = {}

    def visit(path: str, command) -> None:
        found[path] = command
        for name, sub in getattr(command, "commands", {}).items():
            visit(f"{path} {name}", sub)

    visit("assay", typer.main.get_command(app))
    return found


def flags(command) -> list[str]:
    """The command's parameters, every spelling of each."""
    found = ["--help"]
    for parameter in command.params:
        named = parameter.param_type_name == "argument"
        found.append((parameter.metavar or parameter.name.upper()) if named else " ".join(sorted(parameter.opts)))
    return sorted(found)


def test_the_commands_and_their_flags_are_these():
    assert {path: flags(command) for path, command in commands().items()} == {
        path: sorted(found) for path, found in COMMANDS.items()
    }


def test_a_flag_has_one_spelling_and_one_meaning():
    spellings: dict[str, set[tuple[str, ...]]] = {}
    names: dict[str, set[str]] = {}
    for command in commands().values():
        for parameter in command.params:
            spellings.setdefault(parameter.name, set()).add(tuple(sorted(parameter.opts)))
            for spelling in parameter.opts:
                if spelling.startswith("-"):
                    names.setdefault(spelling, set()).add(parameter.name)
    assert {name: found for name, found in spellings.items() if len(found) > 1} == {}
    assert {flag: found for flag, found in names.items() if len(found) > 1} == {}


def test_every_command_that_gives_data_gives_it_as_json():
    runs_for_ever = {"assay solver", "assay verifier", "assay whistleblower"}
    leaves = {path: c for path, c in commands().items() if not hasattr(c, "commands")}
    assert {path for path, c in leaves.items() if "--json" not in flags(c)} == runs_for_ever


def test_every_command_and_flag_has_a_sentence():
    for path, command in commands().items():
        assert command.help, path
        for parameter in command.params:
            assert parameter.help or parameter.hidden, f"{path} {parameter.name}"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_is_instant_because_it_loads_nothing_heavy(command):
    code = (
        "import sys, json, contextlib\n"
        f"sys.argv = {[*command.split(), '--help']!r}\n"
        "from assay.cli.main import main\n"
        "with contextlib.suppress(SystemExit):\n    main()\n"
        f"print(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == []
