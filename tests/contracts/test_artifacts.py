"""What ships is what the sources compile to, and is usable without a compiler."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest

from assay.contracts import CONTRACTS, artifact
from assay.errors import NotFoundError

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_contracts.py"
EIP_170 = 24_576
LIBRARIES = ("board", "checks", "integers", "lot", "merkle", "records", "sequences", "softfloat")
"""Sources that are parts of contracts."""


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_contracts", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_sources_and_names_agree() -> None:
    sources = {path.name for path in files("assay.contracts").joinpath("vyper").iterdir()}
    assert sources == {f"{name}.vy" for name in (*CONTRACTS, *LIBRARIES)}


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries_have_no_entries_and_no_storage(name: str) -> None:
    text = files("assay.contracts").joinpath("vyper", f"{name}.vy").read_text()
    assert "@external" not in text
    assert "@deploy" not in text
    assert "self." not in re.sub(r"self\.\w+\(", "", text)  # calls of its own functions


@pytest.mark.parametrize("name", CONTRACTS)
def test_artifacts_are_what_the_pinned_compiler_makes(build: ModuleType, name: str) -> None:
    source = build.FOLDER / "vyper" / f"{name}.vy"
    shipped = build.FOLDER / "artifacts" / f"{name}.json"
    assert build.render(source) == shipped.read_bytes()


def test_a_changed_source_makes_another_artifact(build: ModuleType, tmp_path: Path) -> None:
    source = build.FOLDER / "vyper" / "token.vy"
    changed = tmp_path / "token.vy"
    changed.write_text(source.read_text().replace("10_000 *", "10_001 *"))
    assert build.render(changed) != build.render(source)


@pytest.mark.parametrize("name", CONTRACTS)
def test_sources_keep_the_layout(name: str) -> None:
    text = files("assay.contracts").joinpath("vyper", f"{name}.vy").read_text()
    assert artifact(name).source_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert text.startswith("# pragma version 0.4.3\n")
    assert "# pragma nonreentrancy on\n" in text
    assert "@license Apache-2.0" in text
    assert "snekmate" not in text
    before, deploy, code = text.partition("@deploy")
    if not deploy:  # nothing to construct
        before, _, code = text.partition("@external")
        code = "@external" + code
    assert "@deploy" not in code
    assert "@external" not in before
    assert "@internal" not in code.rpartition("@external")[0]
    assert "event " not in code


@pytest.mark.parametrize("name", CONTRACTS)
def test_code_fits_on_a_chain(name: str) -> None:
    immutables = 32 * 6
    assert 0 < len(artifact(name).runtime) + immutables <= EIP_170
    assert artifact(name).runtime in artifact(name).bytecode


def test_every_function_and_event_of_the_market_is_in_the_abi() -> None:
    names = {entry["name"] for entry in artifact("market").abi if entry["type"] in ("function", "event")}
    assert {"post", "draw", "reveal", "dispute", "rule", "expire", "withdraw", "Settled", "LazyVerifier"} <= names


def test_an_unknown_contract_is_refused() -> None:
    with pytest.raises(NotFoundError, match="no contract 'court'") as caught:
        artifact("court")
    assert caught.value.evidence == {"name": "court"}


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, assay.contracts as c; c.artifact('market'); print({'vyper', 'web3', 'boa', 'torch'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
