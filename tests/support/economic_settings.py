"""Settings over wide ranges, for the properties of the derivations."""

from __future__ import annotations

from hypothesis import strategies as st

from assay.economics import Setting


@st.composite
def settings(draw: st.DrawFn) -> Setting:
    intervals = draw(st.integers(1, 300))
    return Setting(
        price=draw(st.integers(0, 10**15)),
        steps=draw(st.integers(intervals, 10**6)),
        intervals=intervals,
        verifiers=draw(st.integers(1, 16)),
        audit_intervals=draw(st.integers(1, min(64, intervals))),
        gain=draw(st.integers(0, 10**15)),
        gas_price=draw(st.integers(0, 10**9)),
        honest=draw(st.integers(10_000, 1_000_000)),
        replay=draw(st.integers(0, 1_000_000)),
        forced=draw(st.integers(1_000, 1_000_000)),
        values=draw(st.integers(1, 10**6)),
        chunks=draw(st.integers(1, 10**6)),
        fold=draw(st.integers(1, 10**6)),
        ways=draw(st.sampled_from([2, 4, 8, 16, 32, 64])),
    )
