"""Compile the contracts with the pinned Vyper and rewrite their artifacts (`--check`: compare, write nothing)."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import vyper
from vyper.compiler import compile_from_file_input
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.settings import OptimizationLevel, Settings

from assay.contracts import CONTRACTS

FOLDER = Path(__file__).resolve().parents[1] / "src" / "assay" / "contracts"
ROOT = FOLDER.parents[2]
ODD_TOKENS = {"calling": "calling_token", "taxed": "taxed_token"}
"""Currencies with which `assay attack` tries the contracts; their sources are those of the tests."""

VYPER = "0.4.3"
EVM = "cancun"


def render(source: Path) -> bytes:
    """The artifact of one `.vy` file, as the bytes of its JSON file. What it imports lies beside it."""
    bundle = FilesystemInputBundle([source.parent])
    file = bundle.load_file(source)
    settings = Settings(evm_version=EVM, optimize=OptimizationLevel.GAS, experimental_codegen=False)
    formats = ["abi", "bytecode", "bytecode_runtime"]
    out = compile_from_file_input(file, input_bundle=bundle, output_formats=formats, settings=settings)
    fields = {
        "abi": out["abi"],
        "bytecode": out["bytecode"].removeprefix("0x"),
        "compiler": f"vyper {vyper.__version__}, {EVM}",
        "runtime": out["bytecode_runtime"].removeprefix("0x"),
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }
    return json.dumps(fields, indent=1, sort_keys=True).encode() + b"\n"


def stale() -> dict[Path, bytes]:
    """The artifact files that are not what their sources compile to, with what should be in them."""
    found = {}
    pairs = [(FOLDER / "vyper" / f"{name}.vy", FOLDER / "artifacts" / f"{name}.json") for name in CONTRACTS]
    odd, tests = ROOT / "src" / "assay" / "attack" / "tokens", ROOT / "tests" / "contracts" / "support"
    pairs += [(tests / f"{source}.vy", odd / f"{name}.json") for name, source in ODD_TOKENS.items()]
    for source, target in pairs:
        wanted = render(source)
        if not target.is_file() or target.read_bytes() != wanted:
            found[target] = wanted
    return found


def main() -> int:
    """Exit code 0 if all is fresh now, 1 if `--check` found something stale, 2 if the compiler is another one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if an artifact is stale")
    check = parser.parse_args().check
    if vyper.__version__ != VYPER:
        print(f"vyper {VYPER} is needed, this is {vyper.__version__}", file=sys.stderr)
        return 2
    found = stale()
    for target, wanted in found.items():
        if not check:
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(wanted)
        print(f"{'stale' if check else 'wrote'} {target.name}", file=sys.stderr)
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
