"""What is posted on the chain: the spec's numbers, the quote and the windows, in the contract's own words."""

from __future__ import annotations

from assay.chain import Terms

from .package import Package
from .quote import Quote, Windows

__all__ = ["terms"]


def terms(package: Package, quote: Quote, windows: Windows) -> Terms:
    """The terms under which `package` is posted; their escrow is exactly the quote's."""
    spec = package.spec
    return Terms(
        spec=package.blob.sha256,
        program_root=spec.program_root,
        steps=spec.steps,
        interval=spec.interval,
        price=quote.price,
        fee=quote.fee,
        verifiers=spec.audit.verifiers,
        audit_intervals=spec.audit.intervals,
        open_for=windows.open_for,
        work_for=windows.work_for,
        attest_for=windows.attest_for,
        reveal_for=windows.reveal_for,
    )
