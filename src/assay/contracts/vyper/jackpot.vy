# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Jackpot
@license Apache-2.0
@author The assay contributors
@notice Forced errors (docs/economics.md, section 5). Where a task's terms say so, its solver commits to a sealed result, and a
        lot that it can neither foresee nor hide decides whether it has to publish it with one wrong interval. Whoever finds
        that is paid from a pool; nobody is punished, and the true result takes the place of the other.
@dev Tasks without forced errors never come here. There is no owner.
"""

from ethereum.ercs import IERC20

import lot
import merkle
import records


struct Task:
    id: bytes32
    state: uint256
    deadline: uint256
    attestations: uint256
    revealed: uint256
    matched: uint256
    accusations: uint256
    games: uint256
    solver: address


struct Truth:
    root: bytes32  # Merkle root of the true trajectory
    final_root: bytes32  # state root of its last checkpoint
    trajectory: bytes32  # SHA-256 of its blob
    trajectory_size: uint256  # its bytes
    secret: bytes32  # known to the solver alone until now


struct Change:
    prev_root: bytes32  # of leaf d + 1: state root of checkpoint d
    batches: bytes32
    trace: bytes32
    right: bytes32  # its true state root
    wrong: bytes32  # the one that was published
    proof: DynArray[bytes32, 64]  # siblings of leaf d + 1 in the published tree
    next_state: bytes32  # of leaf d + 2, if there is one
    next_batches: bytes32
    next_trace: bytes32
    next_proof: DynArray[bytes32, 64]  # its siblings when leaf d + 1 is right already


interface Market:
    def tasks(id: bytes32) -> Task: view
    def results(id: bytes32) -> bytes32: view
    def replace(key: records.Key, result: records.Result, mark: uint256): nonpayable
    def vindicate(key: records.Key, account: address, finding: bytes32, position: uint256): nonpayable


# @notice A submitter has put down a task's tax; all of it so far.
event Reserved:
    id: indexed(bytes32)
    amount: uint256


# @notice A sealed result was published, right or wrong: its tax is the pool's now.
event Taxed:
    id: indexed(bytes32)
    amount: uint256
    pool: uint256


# @notice The seal is open. `interval` is where the solver had to err, plus one; 0 if it had not.
event Unsealed:
    id: indexed(bytes32)
    interval: uint256
    pot: uint256


# @notice `account` had found the forced error before it was known.
event Claimed:
    id: indexed(bytes32)
    account: indexed(address)


# @notice A pot is divided: `share` for each of so many accusers and for the solver, the rest is burned.
event Divided:
    id: indexed(bytes32)
    accusers: uint256
    share: uint256
    burned: uint256


# @notice `account` was paid all that it was owed.
event Withdrawn:
    account: indexed(address)
    amount: uint256


# @dev States of the market.
COMMITTED: constant(uint256) = 3
SETTLED: constant(uint256) = 5
REFUNDED: constant(uint256) = 6

MILLION: constant(uint256) = 1_000_000

# @dev Most accusers that share a pot: each doubles what is burned, so that later ones would get nothing.
MAX_ACCUSERS: constant(uint256) = 32

# @dev The finding that a state differs from the replay, as the game numbers it.
WRONG_STATE: constant(uint256) = 1

# @notice Where burned money goes.
BURNED: public(constant(address)) = 0x000000000000000000000000000000000000dEaD


# @notice The currency.
token: public(immutable(IERC20))

# @notice The market.
market: public(immutable(Market))

# @notice What pots are taken from: the taxes of all tasks whose result was published.
pool: public(uint256)

# @notice The tax that was put down for a task.
reserves: public(HashMap[bytes32, uint256])

# @notice The seal of a task's true result, from the publication on.
seals: public(HashMap[bytes32, bytes32])

# @notice The randomness that decides, with the solver's secret, whether it has to err.
seeds: public(HashMap[bytes32, bytes32])

# @notice Whether a task's seal is open.
is_open: public(HashMap[bytes32, bool])

# @notice The interval of a task's forced error, plus one; 0 if there is none or nobody knows yet.
errors: public(HashMap[bytes32, uint256])

# @notice The true state root after that interval.
answers: public(HashMap[bytes32, bytes32])

# @notice What is to be divided because of a task.
pots: public(HashMap[bytes32, uint256])

# @notice Who had found a task's forced error.
accusers: public(HashMap[bytes32, DynArray[address, MAX_ACCUSERS]])

# @notice What an address may withdraw.
owed: public(HashMap[address, uint256])


@deploy
def __init__(token_: address, market_: address):
    """
    @notice Fixes the currency and the market for good.
    @param token_ The ERC-20 in which taxes and pots are held.
    @param market_ The market.
    """
    assert token_.is_contract, "jackpot: token"
    assert market_ != empty(address), "jackpot: market"
    token = IERC20(token_)
    market = Market(market_)


@external
def reserve(key: records.Key, amount: uint256):
    """
    @notice Puts down the tax of a task, or adds to it, before its result is published. The caller is the task's submitter and
            has approved the amount. What the tax is decides what the pot will be; solvers look at it before they accept.
    @param key The task.
    @param amount How much.
    """
    assert msg.sender == key.submitter, "jackpot: not the submitter"
    assert key.terms.forced > 0, "jackpot: not forced"
    id: bytes32 = keccak256(abi_encode(key))
    assert self.seals[id] == empty(bytes32), "jackpot: published"
    assert amount < 2 ** 128, "jackpot: amount"
    before: uint256 = staticcall token.balanceOf(self)
    assert extcall token.transferFrom(msg.sender, self, amount, default_return_value=True), "jackpot: transfer"
    assert staticcall token.balanceOf(self) == before + amount, "jackpot: fee on transfer"
    self.reserves[id] += amount
    log Reserved(id=id, amount=self.reserves[id])


@external
def reclaim(key: records.Key):
    """
    @notice Gives back the tax of a task that ended without a published result. Anybody may push this.
    @param key The task.
    """
    id: bytes32 = keccak256(abi_encode(key))
    state: uint256 = (staticcall market.tasks(id)).state
    assert state == SETTLED or state == REFUNDED, "jackpot: state"
    assert self.seals[id] == empty(bytes32), "jackpot: published"
    self.owed[key.submitter] += self.reserves[id]
    self.reserves[id] = 0


@external
def publish(
    key: records.Key,
    result: records.Result,
    root: bytes32,
    final_root: bytes32,
    trajectory: bytes32,
    trajectory_size: uint256,
):
    """
    @notice Publishes a result, after the draw: the sealed one, or the one with the error. Nobody can tell which.
    @param key The task.
    @param result What was committed to; its root is the seal, keccak256(abi_encode(id, Truth)).
    @param root Merkle root of the published trajectory.
    @param final_root State root of its last checkpoint.
    @param trajectory SHA-256 of its blob.
    @param trajectory_size Its size in bytes.
    """
    id: bytes32 = self._task_of(key, result)
    task: Task = staticcall market.tasks(id)
    assert msg.sender == task.solver, "jackpot: not the solver"
    assert task.state == COMMITTED, "jackpot: state"
    assert result.seed != empty(bytes32), "jackpot: not drawn"
    assert self.seals[id] == empty(bytes32), "jackpot: published"
    assert trajectory_size > 0, "jackpot: size"
    self.seals[id] = result.root
    self.seeds[id] = result.seed
    self.pool += self.reserves[id]
    log Taxed(id=id, amount=self.reserves[id], pool=self.pool)
    moved: records.Result = result
    moved.root = root
    moved.final_root = final_root
    moved.trajectory = trajectory
    moved.trajectory_size = trajectory_size
    moved.committed_at = block.timestamp
    extcall market.replace(key, moved, 0)


@external
def unseal(key: records.Key, result: records.Result, truth: Truth, change: Change):
    """
    @notice Opens the seal, when nobody can accuse any more. If the lot says that the solver had to err, this shows that the
            published trajectory is the true one but for the state after that interval; else that it is the true one.
            Anybody may do it who knows the secret; a solver that does not in time is silent.
    @param key The task.
    @param result What was published.
    @param truth What was sealed.
    @param change The difference, if there had to be one; anything if not.
    """
    id: bytes32 = self._task_of(key, result)
    assert self.seals[id] == keccak256(abi_encode(id, truth)), "jackpot: seal"
    assert not self.is_open[id], "jackpot: unsealed"
    assert block.timestamp > result.committed_at + key.terms.patrol_for, "jackpot: patrol"
    self.is_open[id] = True
    number: uint256 = convert(keccak256(abi_encode(truth.secret, self.seeds[id])), uint256)
    mark: uint256 = 1
    pot: uint256 = 0
    if number % MILLION < key.terms.forced:
        interval: uint256 = self._place(key.terms, self.seeds[id], number)
        self._check_change(key, result, truth, change, interval)
        pot = min(self.reserves[id] * MILLION // key.terms.forced, self.pool)
        self.pool -= pot
        self.pots[id] = pot
        self.errors[id] = interval + 1
        self.answers[id] = change.right
        mark = 1 | (self._holders(key.terms, result, interval) << 1)
    else:
        same: bool = result.root == truth.root and result.final_root == truth.final_root
        assert same and result.trajectory == truth.trajectory, "jackpot: not the truth"
        assert result.trajectory_size == truth.trajectory_size, "jackpot: not the truth"
    self.reserves[id] = 0
    log Unsealed(id=id, interval=self.errors[id], pot=pot)
    moved: records.Result = result
    moved.root = truth.root
    moved.final_root = truth.final_root
    moved.trajectory = truth.trajectory
    moved.trajectory_size = truth.trajectory_size
    extcall market.replace(key, moved, mark)


@external
def claim(key: records.Key, result: records.Result, account: address, found: bytes32, blind: bytes32):
    """
    @notice Opens what `account` had sealed about the forced error: it names the interval, and the true state root after it,
            which nobody knows who has not replayed it. Gives it a share of the pot; its lock is free, and a drawn verifier
            has its fee.
    @param key The task.
    @param result Its result now.
    @param account Who had sealed it.
    @param found The state root that it had found.
    @param blind The word that hid it: the finding's salt is keccak256(abi_encode(found, blind)).
    """
    id: bytes32 = self._task_of(key, result)
    interval: uint256 = self.errors[id]
    assert interval > 0, "jackpot: no forced error"
    assert found == self.answers[id], "jackpot: another root"
    assert len(self.accusers[id]) < MAX_ACCUSERS, "jackpot: accusers"
    self.accusers[id].append(account)
    log Claimed(id=id, account=account)
    self._vindicate(id, key, result, account, interval - 1, keccak256(abi_encode(found, blind)))


@external
def excuse(key: records.Key, result: records.Result, account: address, salt: bytes32):
    """
    @notice Opens what `account` had sealed about the interval after the forced error, which began with the wrong state: it was
            right, too, has no share, and loses nothing.
    @param key The task.
    @param result Its result now.
    @param account Who had sealed it.
    @param salt The word that hid it.
    """
    id: bytes32 = self._task_of(key, result)
    interval: uint256 = self.errors[id]
    assert interval > 0, "jackpot: no forced error"
    self._vindicate(id, key, result, account, interval, salt)


@external
def divide(id: bytes32):
    """
    @notice Divides a pot when the task has ended: each accuser, and the solver if its result held, gets pot >> accusers; the
            rest is burned. So no name is worth more by being split into several. Anybody may push this.
    @param id The task.
    """
    task: Task = staticcall market.tasks(id)
    assert task.state == SETTLED or task.state == REFUNDED, "jackpot: state"
    pot: uint256 = self.pots[id]
    assert pot > 0, "jackpot: no pot"
    self.pots[id] = 0
    count: uint256 = len(self.accusers[id])
    share: uint256 = pot >> count
    rest: uint256 = pot
    for account: address in self.accusers[id]:
        self.owed[account] += share
        rest -= share
    if task.state == SETTLED:
        self.owed[task.solver] += share
        rest -= share
    self.owed[BURNED] += rest
    log Divided(id=id, accusers=count, share=share, burned=rest)


@external
def withdraw(account: address) -> uint256:
    """
    @notice Pays an account all that it is owed; anybody may push this. What is owed to BURNED is destroyed so.
    @param account Whom to pay.
    @return uint256 The amount paid.
    """
    amount: uint256 = self.owed[account]
    assert amount > 0, "jackpot: nothing owed"
    self.owed[account] = 0
    log Withdrawn(account=account, amount=amount)
    assert extcall token.transfer(account, amount, default_return_value=True), "jackpot: transfer"
    return amount


@internal
@view
def _task_of(key: records.Key, result: records.Result) -> bytes32:
    """
    @dev The id of a task; refuses a result that is not its.
    @param key The task.
    @param result Its result.
    @return bytes32 The id.
    """
    id: bytes32 = keccak256(abi_encode(key))
    assert staticcall market.results(id) == keccak256(abi_encode(result)), "jackpot: result"
    return id


@internal
def _vindicate(
    id: bytes32, key: records.Key, result: records.Result, account: address, interval: uint256, salt: bytes32
):
    """
    @dev Tells the market that a sealed finding was right.
    @param id The task.
    @param key The task's key.
    @param result Its result.
    @param account Who had sealed it.
    @param interval Where.
    @param salt The word that hid it.
    """
    position: uint256 = 0
    for verifier: address in result.verifiers:
        if verifier == account:
            break
        position += 1
    finding: bytes32 = keccak256(abi_encode(id, account, WRONG_STATE, interval, salt))
    extcall market.vindicate(key, account, finding, position)


@internal
@pure
def _holders(terms: records.Terms, result: records.Result, interval: uint256) -> uint256:
    """
    @dev Who has drawn an interval.
    @param terms The terms.
    @param result The result.
    @param interval The interval.
    @return uint256 Bit j for the verifier at position j.
    """
    mask: uint256 = 0
    for j: uint256 in range(len(result.verifiers), bound=16):
        if interval in lot._drawn_intervals(terms, result.seed, j):
            mask |= 1 << j
    return mask


@internal
@pure
def _place(terms: records.Terms, seed: bytes32, number: uint256) -> uint256:
    """
    @dev Where the solver has to err: in one of the drawn intervals, each as likely as it is drawn often.
    @param terms The terms.
    @param seed The randomness of the draw.
    @param number The lot.
    @return uint256 The interval.
    """
    slot: uint256 = (number // MILLION) % (terms.verifiers * terms.audit_intervals)
    picks: DynArray[uint256, 32] = lot._drawn_intervals(terms, seed, slot // terms.audit_intervals)
    return picks[slot % terms.audit_intervals]


@internal
@pure
def _check_change(
    key: records.Key, result: records.Result, truth: Truth, change: Change, interval: uint256
):
    """
    @dev Refuses all differences between the published trajectory and the true one but the state after one interval: two
         leaves change, one after the other, each with one path for before and after.
    @param key The task.
    @param result What was published.
    @param truth What was sealed.
    @param change The difference.
    @param interval Where it has to be.
    """
    assert change.right != change.wrong, "jackpot: no error"
    intervals: uint256 = lot._intervals(key.terms)
    depth: uint256 = lot._bit_length(intervals)
    index: uint256 = interval + 1
    assert len(change.proof) == depth, "jackpot: length"
    wrong: bytes32 = self._leaf(key, index, change.prev_root, change.wrong, change.batches, change.trace)
    assert merkle.climb(wrong, index, change.proof) == result.root, "jackpot: published leaf"
    right: bytes32 = self._leaf(key, index, change.prev_root, change.right, change.batches, change.trace)
    root: bytes32 = merkle.climb(right, index, change.proof)
    if index == intervals:
        assert result.final_root == change.wrong and truth.final_root == change.right, "jackpot: final root"
    else:
        assert result.final_root == truth.final_root, "jackpot: final root"
        assert len(change.next_proof) == depth, "jackpot: length"
        after: bytes32 = self._leaf(
            key, index + 1, change.wrong, change.next_state, change.next_batches, change.next_trace
        )
        assert merkle.climb(after, index + 1, change.next_proof) == root, "jackpot: next leaf"
        after = self._leaf(
            key, index + 1, change.right, change.next_state, change.next_batches, change.next_trace
        )
        root = merkle.climb(after, index + 1, change.next_proof)
    assert root == truth.root, "jackpot: true root"


@internal
@pure
def _leaf(
    key: records.Key, index: uint256, prev_root: bytes32, state_root: bytes32, batches: bytes32, trace: bytes32
) -> bytes32:
    """
    @dev A leaf of a trajectory, of the task's own program and step.
    @param key The task.
    @param index Which leaf.
    @param prev_root State root of the checkpoint before.
    @param state_root State root of this one.
    @param batches Root of the row indices between them.
    @param trace What hides the trace digest.
    @return bytes32 The leaf.
    """
    step: uint256 = min(index * key.terms.interval, key.terms.steps)
    return sha256(
        concat(
            b"\x04",
            prev_root,
            state_root,
            convert(convert(step, uint64), bytes8),
            batches,
            key.terms.program_root,
            trace,
        )
    )
