"""What is posted on the chain: the spec's numbers, the quote and the windows, in the contracts' own words."""

from __future__ import annotations

from assay.chain import Terms, Work
from assay.proof import code_root
from assay.words import TaskSpec

from .package import Package
from .quote import Quote, Windows

__all__ = ["WAYS", "terms", "work", "work_of"]

WAYS = 32
"""Parts into which one move of a dispute splits."""


def work_of(spec: TaskSpec, blob: str, code: bytes, windows: Windows, bond: int, ways: int = WAYS) -> Work:
    """What is to be computed and how one quarrels about it; `blob` is the spec's hash, `code` the program's code root."""
    return Work(
        spec=blob,
        code_root=code.hex(),
        initial_root=spec.initial_root,
        dataset_root=spec.dataset_root,
        rows=spec.rows,
        batch_size=spec.batch_size,
        seed=spec.seed,
        ways=ways,
        clock=windows.clock,
        extension=windows.extension,
        bond=bond,
    )


def work(package: Package, quote: Quote, windows: Windows) -> Work:
    """The work of `package`."""
    return work_of(package.spec, package.blob.sha256, code_root(package.program), windows, quote.bond)


def terms(package: Package, quote: Quote, windows: Windows) -> Terms:
    """The terms under which `package` is posted; their escrow is exactly the quote's."""
    spec = package.spec
    return Terms(
        work=work(package, quote, windows).digest,
        program_root=spec.program_root,
        steps=spec.steps,
        interval=spec.interval,
        price=quote.price,
        fee=quote.fee,
        verifiers=spec.audit.verifiers,
        audit_intervals=spec.audit.intervals,
        collateral=quote.collateral,
        open_for=windows.open_for,
        work_for=windows.work_for,
        patrol_for=min(windows.patrol_for, windows.attest_for),
        attest_for=windows.attest_for,
        reveal_for=windows.reveal_for,
    )
