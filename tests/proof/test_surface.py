from __future__ import annotations

import subprocess
import sys

import assay.dispute
import assay.proof
import assay.store


def test_public_names_are_sorted_and_there() -> None:
    for package in (assay.proof, assay.store, assay.dispute):
        kinds = [(not name.isupper(), name[0].islower(), name) for name in package.__all__]  # as ruff sorts them
        assert kinds == sorted(kinds)
        assert all(hasattr(package, name) for name in package.__all__)


def test_proofs_need_no_network_no_torch_and_no_chain() -> None:
    """And a store's names are loaded when they are used."""
    code = "import sys, assay.proof, assay.store, assay.dispute; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "web3", "onnxruntime", "llvmlite", "httpx2", "starlette", "uvicorn", "stamina"}
    assert not heavy & set(done.stdout.split())
