# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Rules
@license Apache-2.0
@author The assay contributors
@notice Which tasks the market takes. It keeps nothing; the market asks it at each post.
"""

import lot
import records


# @dev Most verifiers of a task, and most intervals of a verifier.
MAX_VERIFIERS: constant(uint256) = 16
MAX_AUDIT: constant(uint256) = 32

# @dev Most levels of a trajectory's Merkle tree.
MAX_DEPTH: constant(uint256) = 20

# @dev Most bytes of a reveal's proofs.
MAX_PROOFS: constant(uint256) = 12288

# @dev Longest window of a state, in seconds: 30 days.
MAX_WINDOW: constant(uint256) = 30 * 86400

# @dev Larger amounts and counts are refused, so that no sum or product of the market can overflow.
MAX_AMOUNT: constant(uint256) = 2 ** 128
MAX_STAKE: constant(uint256) = 2 ** 88
MAX_STEPS: constant(uint256) = 2 ** 53


@external
@pure
def escrow(terms: records.Terms, work: records.Work) -> uint256:
    """
    @notice What posting a task costs. Refuses terms that could not be carried out, and work that could not be disputed.
    @param terms The terms.
    @param work The work.
    @return uint256 price + fee * verifiers.
    """
    assert terms.work == keccak256(abi_encode(work)), "market: work"
    self._check_terms(terms)
    self._check_work(work)
    return terms.price + terms.fee * terms.verifiers


@external
@pure
def escrow_of(terms: records.Terms) -> uint256:
    """
    @notice What posting these terms costs.
    @param terms The terms.
    @return uint256 price + fee * verifiers.
    """
    return terms.price + terms.fee * terms.verifiers


@external
@pure
def proof_depth(terms: records.Terms) -> uint256:
    """
    @notice Number of siblings of one leaf in a reveal.
    @param terms The task's terms.
    @return uint256 Levels of the tree over intervals + 1 leaves, padded to a power of two.
    """
    return lot._bit_length(lot._intervals(terms))


@internal
@pure
def _check_terms(terms: records.Terms):
    """
    @dev Refuses terms that could not be carried out.
    @param terms The terms.
    """
    assert terms.price < MAX_AMOUNT and terms.fee < MAX_AMOUNT, "market: amount"
    assert terms.collateral < MAX_STAKE and terms.verifier_collateral < MAX_STAKE, "market: amount"
    assert terms.steps >= 1 and terms.steps <= MAX_STEPS, "market: steps"
    assert terms.interval >= 1 and terms.interval <= MAX_STEPS, "market: interval"
    intervals: uint256 = lot._intervals(terms)
    assert intervals < 2 ** MAX_DEPTH, "market: too many intervals"
    assert terms.verifiers >= 1 and terms.verifiers <= MAX_VERIFIERS, "market: verifiers"
    assert terms.audit_intervals >= 1 and terms.audit_intervals <= min(MAX_AUDIT, intervals), "market: audit intervals"
    assert 32 * terms.audit_intervals * (3 + lot._bit_length(intervals)) <= MAX_PROOFS, "market: audit intervals"
    for window: uint256 in [terms.open_for, terms.work_for, terms.attest_for, terms.reveal_for]:
        assert window >= 1 and window <= MAX_WINDOW, "market: window"
    assert terms.patrol_for <= terms.attest_for, "market: patrol"
    assert terms.forced <= 1_000_000, "market: forced"


@internal
@pure
def _check_work(work: records.Work):
    """
    @dev Refuses work that could not be disputed.
    @param work The work.
    """
    assert work.rows >= 1 and work.batch_size >= 1, "market: rows"
    assert work.ways >= 2 and work.ways <= 64 and work.ways & (work.ways - 1) == 0, "market: ways"
    assert work.clock >= 1 and work.clock <= MAX_WINDOW, "market: clock"
    assert work.extension >= 1 and work.extension <= MAX_WINDOW, "market: clock"
    assert work.bond < MAX_STAKE, "market: amount"
