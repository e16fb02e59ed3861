# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Market
@license Apache-2.0
@author The assay contributors
@notice Tasks with escrow: a submitter pays in, a solver commits to a result, verifiers drawn by lot replay parts of it,
        and the money goes to those who did their work or back to the submitter. Every state that is not final has a
        deadline, and when it is over anybody may end it with `expire`. Nobody owns the contract.
@dev The life of a task and the deadlines are in docs/contracts.md. Hashes of trajectories are SHA-256 with one-byte domain
     tags, as in assay.proof; hashes that only the chain sees are keccak256 of ABI-encoded words.
"""

from ethereum.ercs import IERC20


interface Stakes:
    def is_active(account: address, role: uint256) -> bool: view
    def count(role: uint256) -> uint256: view
    def seated(role: uint256, index: uint256, since: uint256) -> address: view


struct Terms:
    spec: bytes32  # SHA-256 of the canonical TaskSpec, which is also its name in the store
    program_root: bytes32  # what the spec's program lowers to
    steps: uint256  # optimizer steps, or runs
    interval: uint256  # steps between two checkpoints; the last interval may be shorter
    price: uint256  # what the solver gets
    fee: uint256  # what each verifier gets
    verifiers: uint256  # how many are drawn
    audit_intervals: uint256  # how many intervals each of them replays
    open_for: uint256  # seconds for a solver to accept
    work_for: uint256  # seconds for the solver to commit
    attest_for: uint256  # seconds for the draw and for the verifiers to attest
    reveal_for: uint256  # seconds for the solver to reveal, and for mismatches to be claimed


struct Task:
    state: uint256
    deadline: uint256  # Unix seconds at which the state is over; the last second still counts
    submitter: address
    solver: address
    terms: Terms
    root: bytes32  # Merkle root of the trajectory: the commitment
    final_root: bytes32  # state root of the last checkpoint
    trajectory: bytes32  # SHA-256 of the trajectory's blob
    trajectory_size: uint256  # its bytes
    anchor: uint256  # block whose hash is the randomness of the draw
    seats: uint256  # length of the verifiers' list at that block
    seed: bytes32  # the randomness; zero until the draw
    audit_seed: bytes32  # what the intervals are drawn with
    attestations: uint256  # how many verifiers have attested
    reveals: uint256  # for how many of these the solver has revealed
    matches: uint256  # how many of these turned out to match


# @notice A task is paid for.
event Posted:
    id: indexed(bytes32)
    submitter: indexed(address)
    spec: bytes32
    program_root: bytes32
    price: uint256
    fee: uint256
    verifiers: uint256
    escrow: uint256
    deadline: uint256


# @notice A solver works on it until the deadline.
event Accepted:
    id: indexed(bytes32)
    solver: indexed(address)
    deadline: uint256


# @notice The solver swears to a result.
event Committed:
    id: indexed(bytes32)
    solver: indexed(address)
    root: bytes32
    final_root: bytes32
    trajectory: bytes32
    trajectory_size: uint256
    deadline: uint256


# @notice Nobody drew within 256 blocks; the hash of block `anchor` is the randomness now.
event Reanchored:
    id: indexed(bytes32)
    anchor: uint256


# @notice These verifiers replay the intervals that `drawn_intervals` names.
event Drawn:
    id: indexed(bytes32)
    verifiers: DynArray[address, 16]
    audit_seed: bytes32


# @notice A verifier has sealed what it found.
event Attested:
    id: indexed(bytes32)
    verifier: indexed(address)
    position: uint256
    commitment: bytes32


# @notice No more attestations: the solver reveals, and mismatches are claimed, until the deadline.
event Audited:
    id: indexed(bytes32)
    attestations: uint256
    deadline: uint256


# @notice The solver has opened the traces of a verifier's intervals; `matched` says whether the verifier had the same.
event Revealed:
    id: indexed(bytes32)
    verifier: indexed(address)
    position: uint256
    matched: bool


# @notice A verifier has opened its attestation: it found something else than the solver committed to.
event Mismatch:
    id: indexed(bytes32)
    verifier: indexed(address)
    interval: uint256
    step: uint256
    found_root: bytes32
    reason: uint256


# @notice A verifier attested to something that is neither the solver's trace nor a mismatch that it claimed.
event LazyVerifier:
    id: indexed(bytes32)
    verifier: indexed(address)


# @notice The result held. `paid` is the solver's, `fees` are the verifiers', `refunded` is the submitter's.
event Settled:
    id: indexed(bytes32)
    solver: indexed(address)
    final_root: bytes32
    paid: uint256
    fees: uint256
    refunded: uint256


# @notice The submitter has the whole escrow back.
event Refunded:
    id: indexed(bytes32)
    submitter: indexed(address)
    amount: uint256
    reason: String[32]


# @notice `account` may withdraw `amount` more, because of this task.
event Credited:
    id: indexed(bytes32)
    account: indexed(address)
    amount: uint256


# @notice `account` was paid all that it was owed.
event Withdrawn:
    account: indexed(address)
    amount: uint256


# @dev The states, as in assay.words.lifecycle (whose NONE is a word that Vyper keeps to itself).
NO_TASK: constant(uint256) = 0
OPEN: constant(uint256) = 1
ASSIGNED: constant(uint256) = 2
COMMITTED: constant(uint256) = 3
AUDITED: constant(uint256) = 4
SETTLED: constant(uint256) = 5
REFUNDED: constant(uint256) = 6

# @dev The roles, as in stakes.vy.
SOLVER: constant(uint256) = 1
VERIFIER: constant(uint256) = 2

# @dev Most verifiers of a task, and most intervals of a verifier.
MAX_VERIFIERS: constant(uint256) = 16
MAX_AUDIT: constant(uint256) = 64

# @dev Most levels of a trajectory's Merkle tree, hence most words of all proofs of a reveal.
MAX_DEPTH: constant(uint256) = 20
MAX_PROOF_WORDS: constant(uint256) = 1280

# @dev Most positions of the verifiers' list that a draw looks at.
MAX_WALK: constant(uint256) = 128

# @dev Longest window of a state, in seconds: 30 days.
MAX_WINDOW: constant(uint256) = 30 * 86400

# @dev Larger amounts and counts are refused, so that no sum or product below can overflow.
MAX_AMOUNT: constant(uint256) = 2 ** 128
MAX_STEPS: constant(uint256) = 2 ** 53

# @dev How far back the chain remembers block hashes.
HASHED_BLOCKS: constant(uint256) = 256

# @dev Rounds of the permutation's walk. The domain is under four times n, so each round ends the walk with a chance of
#      over 1/4; for n up to 1024 the bound cannot be reached at all.
MAX_CYCLE: constant(uint256) = 4096
LOW_32_BITS: constant(uint256) = 2 ** 32 - 1
MIX_1: constant(uint256) = 2246822507  # 0x85ebca6b
MIX_2: constant(uint256) = 3266489909  # 0xc2b2ae35


# @notice The currency of prices and fees.
token: public(immutable(IERC20))

# @notice Where solvers and verifiers are registered.
stakes: public(immutable(Stakes))

# @notice Everything about a task, by its id.
tasks: public(HashMap[bytes32, Task])

# @notice Number of tasks ever posted.
task_count: public(uint256)

# @notice The ids of all tasks, in the order in which they were posted.
task_at: public(HashMap[uint256, bytes32])

# @notice What the verifier at a position attested; zero if it has not.
attestation: public(HashMap[bytes32, HashMap[uint256, bytes32]])

# @notice Whether the solver has revealed for the verifier at a position.
revealed: public(HashMap[bytes32, HashMap[uint256, bool]])

# @notice Whether the verifier at a position attested to the trace that the solver revealed.
matched: public(HashMap[bytes32, HashMap[uint256, bool]])

# @notice What an address may withdraw.
owed: public(HashMap[address, uint256])

# @dev The verifiers that were drawn for a task, by position.
drawn: HashMap[bytes32, DynArray[address, MAX_VERIFIERS]]


@deploy
def __init__(token_: address, stakes_: address):
    """
    @notice Fixes the currency and the registry for good.
    @param token_ The ERC-20 in which prices and fees are held.
    @param stakes_ The registry of solvers and verifiers.
    """
    assert token_.is_contract, "market: token"
    assert stakes_.is_contract, "market: stakes"
    token = IERC20(token_)
    stakes = Stakes(stakes_)


@external
def post(salt: bytes32, terms: Terms) -> bytes32:
    """
    @notice Opens a task and pulls its escrow, which must have been approved before. The same salt again is refused, so a
            post that is sent twice is paid once.
    @param salt Any word that the caller has not used before.
    @param terms What is to be done, for how much, and by when.
    @return bytes32 The task's id.
    """
    id: bytes32 = self._task_id(msg.sender, salt)
    assert self.tasks[id].state == NO_TASK, "market: already posted"
    self._check_terms(terms)
    deadline: uint256 = block.timestamp + terms.open_for
    self.tasks[id].state = OPEN
    self.tasks[id].deadline = deadline
    self.tasks[id].submitter = msg.sender
    self.tasks[id].terms = terms
    self.task_at[self.task_count] = id
    self.task_count += 1

    escrow: uint256 = self._escrow_of(terms)
    before: uint256 = staticcall token.balanceOf(self)
    assert extcall token.transferFrom(msg.sender, self, escrow, default_return_value=True), "market: transfer"
    assert staticcall token.balanceOf(self) == before + escrow, "market: fee on transfer"
    log Posted(
        id=id,
        submitter=msg.sender,
        spec=terms.spec,
        program_root=terms.program_root,
        price=terms.price,
        fee=terms.fee,
        verifiers=terms.verifiers,
        escrow=escrow,
        deadline=deadline,
    )
    return id


@external
def cancel(id: bytes32):
    """
    @notice Takes back a task that nobody has accepted.
    @param id The task.
    """
    self._check_state(id, OPEN)
    assert msg.sender == self.tasks[id].submitter, "market: not the submitter"
    self._refund(id, "cancelled")


@external
def accept(id: bytes32):
    """
    @notice Assigns the task to the caller, a staked solver, first come first served. Refused while there are too few
            verifiers to draw from, so that nobody works for nothing.
    @param id The task.
    """
    self._check_state(id, OPEN)
    self._check_deadline(id)
    assert msg.sender != self.tasks[id].submitter, "market: own task"
    assert staticcall stakes.is_active(msg.sender, SOLVER), "market: not a solver"
    self._check_seats(id, msg.sender)
    deadline: uint256 = block.timestamp + self.tasks[id].terms.work_for
    self.tasks[id].state = ASSIGNED
    self.tasks[id].solver = msg.sender
    self.tasks[id].deadline = deadline
    log Accepted(id=id, solver=msg.sender, deadline=deadline)


@external
def commit(id: bytes32, root: bytes32, final_root: bytes32, trajectory: bytes32, trajectory_size: uint256):
    """
    @notice Swears to a result. The hash of this block, which nobody knows yet, will draw the verifiers, from among
            those who are registered now.
    @param id The task.
    @param root Merkle root of the trajectory.
    @param final_root State root of the last checkpoint.
    @param trajectory SHA-256 of the trajectory's blob.
    @param trajectory_size Its size in bytes.
    """
    self._check_state(id, ASSIGNED)
    self._check_solver(id)
    self._check_deadline(id)
    assert root != empty(bytes32), "market: root"
    self._check_seats(id, msg.sender)
    deadline: uint256 = block.timestamp + self.tasks[id].terms.attest_for
    self.tasks[id].state = COMMITTED
    self.tasks[id].deadline = deadline
    self.tasks[id].root = root
    self.tasks[id].final_root = final_root
    self.tasks[id].trajectory = trajectory
    self.tasks[id].trajectory_size = trajectory_size
    self._anchor(id)
    log Committed(
        id=id,
        solver=msg.sender,
        root=root,
        final_root=final_root,
        trajectory=trajectory,
        trajectory_size=trajectory_size,
        deadline=deadline,
    )


@external
def draw(id: bytes32):
    """
    @notice Draws the verifiers and their intervals, in a later block than the commitment's. If nobody did so within 256
            blocks, the first call takes a new block and the next one draws.
    @param id The task.
    """
    self._check_state(id, COMMITTED)
    self._check_deadline(id)
    assert self.tasks[id].seed == empty(bytes32), "market: drawn"
    anchor: uint256 = self.tasks[id].anchor
    assert block.number > anchor, "market: too early"
    randomness: bytes32 = empty(bytes32)
    if block.number - anchor <= HASHED_BLOCKS:
        randomness = blockhash(anchor)
    if randomness == empty(bytes32):
        self._anchor(id)
        log Reanchored(id=id, anchor=block.number)
        return
    seed: bytes32 = keccak256(abi_encode(randomness, id, self.tasks[id].root))
    audit_seed: bytes32 = keccak256(abi_encode(seed, "intervals"))
    chosen: DynArray[address, MAX_VERIFIERS] = self._lot(id, anchor, keccak256(abi_encode(seed, "verifiers")))
    self.tasks[id].seed = seed
    self.tasks[id].audit_seed = audit_seed
    self.drawn[id] = chosen
    log Drawn(id=id, verifiers=chosen, audit_seed=audit_seed)


@external
def attest(id: bytes32, commitment: bytes32):
    """
    @notice Seals what the caller, a drawn verifier, found. The last attestation ends the wait.
    @param id The task.
    @param commitment For a match keccak256(abi_encode(id, verifier, keccak256(digests))), where digests are the trace
                      digests of its intervals, in the order drawn, as plain bytes. For a mismatch
                      keccak256(abi_encode(id, verifier, interval, step, found_root, reason, salt)).
    """
    self._check_state(id, COMMITTED)
    self._check_deadline(id)
    position: uint256 = self._position(id, msg.sender)
    assert self.attestation[id][position] == empty(bytes32), "market: attested"
    assert commitment != empty(bytes32), "market: commitment"
    self.attestation[id][position] = commitment
    attestations: uint256 = self.tasks[id].attestations + 1
    self.tasks[id].attestations = attestations
    log Attested(id=id, verifier=msg.sender, position=position, commitment=commitment)
    if attestations == self.tasks[id].terms.verifiers:
        self._audit(id)


@external
def close(id: bytes32):
    """
    @notice Ends the wait for attestations after its deadline: on to the reveals if there is at least one, else a refund.
    @param id The task.
    """
    self._check_state(id, COMMITTED)
    self._check_expired(id)
    self._close(id)


@external
def reveal(
    id: bytes32,
    position: uint256,
    digests: DynArray[bytes32, MAX_AUDIT],
    prev_roots: DynArray[bytes32, MAX_AUDIT],
    state_roots: DynArray[bytes32, MAX_AUDIT],
    batches: DynArray[bytes32, MAX_AUDIT],
    proofs: DynArray[bytes32, MAX_PROOF_WORDS],
):
    """
    @notice Opens the trace digests of the intervals of one verifier, and so shows whether it had found the same. Item t of
            each list belongs to interval k = drawn_intervals(id, position)[t], that is to leaf k + 1 of the trajectory.
    @param id The task.
    @param position The verifier's position among those drawn.
    @param digests Trace digests, secret until now.
    @param prev_roots State roots of the checkpoints k.
    @param state_roots State roots of the checkpoints k + 1.
    @param batches Roots of the row indices that lead from one to the other.
    @param proofs The Merkle paths, one after the other, each from the leaf's sibling upwards, `proof_depth` words long.
    """
    self._check_state(id, AUDITED)
    self._check_solver(id)
    self._check_deadline(id)
    sealed: bytes32 = self.attestation[id][position]
    assert sealed != empty(bytes32), "market: not attested"
    assert not self.revealed[id][position], "market: revealed"

    terms: Terms = self.tasks[id].terms
    intervals: uint256 = self._intervals(terms)
    depth: uint256 = self._depth(intervals)
    n: uint256 = terms.audit_intervals
    assert len(digests) == n and len(prev_roots) == n and len(state_roots) == n and len(batches) == n, "market: length"
    assert len(proofs) == n * depth, "market: length"
    root: bytes32 = self.tasks[id].root
    picks: DynArray[uint256, MAX_AUDIT] = self._drawn_intervals(terms, self.tasks[id].audit_seed, position)
    for t: uint256 in range(n, bound=MAX_AUDIT):
        leaf: uint256 = picks[t] + 1
        if leaf == intervals:
            assert state_roots[t] == self.tasks[id].final_root, "market: final root"
        node: bytes32 = sha256(
            concat(
                b"\x04",
                prev_roots[t],
                state_roots[t],
                convert(convert(min(leaf * terms.interval, terms.steps), uint64), bytes8),
                batches[t],
                terms.program_root,
                sha256(concat(b"\x05", digests[t])),
            )
        )
        for level: uint256 in range(depth, bound=MAX_DEPTH):
            sibling: bytes32 = proofs[t * depth + level]
            if (leaf >> level) & 1 == 0:
                node = sha256(concat(b"\x01", node, sibling))
            else:
                node = sha256(concat(b"\x01", sibling, node))
        assert node == root, "market: proof"

    verifier: address = self.drawn[id][position]
    # abi_encode puts an offset and a length before the words
    found: bytes32 = keccak256(slice(abi_encode(digests), 64, 32 * n))
    is_match: bool = sealed == keccak256(abi_encode(id, verifier, found))
    self.revealed[id][position] = True
    self.tasks[id].reveals += 1
    if is_match:
        self.matched[id][position] = True
        self.tasks[id].matches += 1
    log Revealed(id=id, verifier=verifier, position=position, matched=is_match)


@external
def claim_mismatch(
    id: bytes32, interval: uint256, step: uint256, found_root: bytes32, reason: uint256, salt: bytes32
):
    """
    @notice Opens the caller's attestation as a mismatch, which refunds the submitter in full. Possible until the task is
            settled, even after the deadline: money that still lies here should not go to a wrong result.
    @param id The task.
    @param interval The interval in which the results part, counted from 0.
    @param step The step of the first checkpoint that differs.
    @param found_root The state root that the caller has there.
    @param reason 1 state differs, 2 data withheld, 3 initial state differs, 4 malformed.
    @param salt The word that hid the claim in the attestation.
    """
    self._check_state(id, AUDITED)
    position: uint256 = self._position(id, msg.sender)
    sealed: bytes32 = keccak256(abi_encode(id, msg.sender, interval, step, found_root, reason, salt))
    assert self.attestation[id][position] == sealed, "market: opening"
    assert reason >= 1 and reason <= 4, "market: reason"
    assert interval < self._intervals(self.tasks[id].terms), "market: interval"
    assert step <= self.tasks[id].terms.steps, "market: step"
    log Mismatch(
        id=id, verifier=msg.sender, interval=interval, step=step, found_root=found_root, reason=reason
    )
    self._refund(id, "mismatch")


@external
def settle(id: bytes32):
    """
    @notice Pays, as soon as the solver has revealed for every verifier that attested and all of them matched; else after
            the reveal deadline, because an attestation that does not match may still be opened as a mismatch.
    @param id The task.
    """
    self._check_state(id, AUDITED)
    self._finish(id)


@external
def expire(id: bytes32):
    """
    @notice Ends a state whose deadline is over. Whatever happened, at most two calls bring any task to its end: one for the
            attestations, one for the reveals.
    @param id The task.
    """
    state: uint256 = self.tasks[id].state
    assert state >= OPEN and state <= AUDITED, "market: state"
    self._check_expired(id)
    if state == OPEN:
        self._refund(id, "not accepted")
    elif state == ASSIGNED:
        self._refund(id, "not solved")
    elif state == COMMITTED:
        self._close(id)
    else:
        self._finish(id)


@external
def withdraw() -> uint256:
    """
    @notice Pays the caller all that it is owed.
    @return uint256 The amount paid.
    """
    amount: uint256 = self.owed[msg.sender]
    assert amount > 0, "market: nothing owed"
    self.owed[msg.sender] = 0
    assert extcall token.transfer(msg.sender, amount, default_return_value=True), "market: transfer"
    log Withdrawn(account=msg.sender, amount=amount)
    return amount


@external
@pure
def task_id(submitter: address, salt: bytes32) -> bytes32:
    """
    @notice The id that a task has, or will have.
    @param submitter Who posts it.
    @param salt The word that it posts it with.
    @return bytes32 keccak256(abi_encode(submitter, salt)).
    """
    return self._task_id(submitter, salt)


@external
@pure
def escrow_of(terms: Terms) -> uint256:
    """
    @notice What posting these terms costs.
    @param terms The terms.
    @return uint256 price + fee * verifiers.
    """
    return self._escrow_of(terms)


@external
@view
def verifiers(id: bytes32) -> DynArray[address, MAX_VERIFIERS]:
    """
    @notice The verifiers that were drawn, by position; empty before the draw.
    @param id The task.
    @return DynArray Their addresses.
    """
    return self.drawn[id]


@external
@view
def drawn_intervals(id: bytes32, position: uint256) -> DynArray[uint256, MAX_AUDIT]:
    """
    @notice The intervals that the verifier at a position replays, in the order drawn.
    @param id The task.
    @param position The verifier's position among those drawn.
    @return DynArray Interval numbers, counted from 0.
    """
    assert position < len(self.drawn[id]), "market: position"
    return self._drawn_intervals(self.tasks[id].terms, self.tasks[id].audit_seed, position)


@external
@view
def proof_depth(id: bytes32) -> uint256:
    """
    @notice Number of words of one Merkle path in a reveal.
    @param id The task.
    @return uint256 Levels of the tree over intervals + 1 leaves, padded to a power of two.
    """
    assert self.tasks[id].state != NO_TASK, "market: state"
    return self._depth(self._intervals(self.tasks[id].terms))


@external
@pure
def permute(x: uint256, n: uint256, key: bytes32) -> uint256:
    """
    @notice The permutation of 0..n-1 with which verifiers and intervals are drawn (the same as assay.proof's).
    @param x What to map, less than n.
    @param n Size of the set, at most 2**32.
    @param key Which permutation.
    @return uint256 The image of x, less than n.
    """
    assert x < n and n <= 2 ** 32, "market: permute"
    return self._permute(x, n, self._half_width(n), key)


@internal
@view
def _check_state(id: bytes32, state: uint256):
    """
    @dev Refuses a task that is in another state.
    @param id The task.
    @param state The state it must be in.
    """
    assert self.tasks[id].state == state, "market: state"


@internal
@view
def _check_solver(id: bytes32):
    """
    @dev Refuses callers other than the task's solver.
    @param id The task.
    """
    assert msg.sender == self.tasks[id].solver, "market: not the solver"


@internal
@view
def _check_deadline(id: bytes32):
    """
    @dev Refuses actions after the deadline.
    @param id The task.
    """
    assert block.timestamp <= self.tasks[id].deadline, "market: expired"


@internal
@view
def _check_expired(id: bytes32):
    """
    @dev Refuses time-outs before the deadline is over.
    @param id The task.
    """
    assert block.timestamp > self.tasks[id].deadline, "market: not expired"


@internal
@pure
def _check_terms(terms: Terms):
    """
    @dev Refuses terms that could not be carried out.
    @param terms The terms.
    """
    assert terms.price < MAX_AMOUNT and terms.fee < MAX_AMOUNT, "market: amount"
    assert terms.steps >= 1 and terms.steps <= MAX_STEPS, "market: steps"
    assert terms.interval >= 1 and terms.interval <= MAX_STEPS, "market: interval"
    intervals: uint256 = self._intervals(terms)
    assert intervals < 2 ** MAX_DEPTH, "market: too many intervals"
    assert terms.verifiers >= 1 and terms.verifiers <= MAX_VERIFIERS, "market: verifiers"
    assert terms.audit_intervals >= 1 and terms.audit_intervals <= min(MAX_AUDIT, intervals), "market: audit intervals"
    for window: uint256 in [terms.open_for, terms.work_for, terms.attest_for, terms.reveal_for]:
        assert window >= 1 and window <= MAX_WINDOW, "market: window"


@internal
@view
def _check_seats(id: bytes32, solver: address):
    """
    @dev Refuses to go on while there are too few verifiers besides submitter and solver.
    @param id The task.
    @param solver The task's solver.
    """
    available: uint256 = staticcall stakes.count(VERIFIER)
    if staticcall stakes.is_active(solver, VERIFIER):
        available -= 1
    if staticcall stakes.is_active(self.tasks[id].submitter, VERIFIER):
        available -= 1
    assert available >= self.tasks[id].terms.verifiers, "market: too few verifiers"


@internal
@view
def _position(id: bytes32, verifier: address) -> uint256:
    """
    @dev Position of a verifier among those drawn; refuses everybody else.
    @param id The task.
    @param verifier Whom to look for.
    @return uint256 Its position.
    """
    position: uint256 = 0
    for account: address in self.drawn[id]:
        if account == verifier:
            return position
        position += 1
    raise "market: not a drawn verifier"


@internal
def _anchor(id: bytes32):
    """
    @dev Fixes what the draw depends on: the hash of this block, and the verifiers of now.
    @param id The task.
    """
    self.tasks[id].anchor = block.number
    self.tasks[id].seats = staticcall stakes.count(VERIFIER)


@internal
@view
def _lot(id: bytes32, anchor: uint256, key: bytes32) -> DynArray[address, MAX_VERIFIERS]:
    """
    @dev Walks the verifiers' list in the order of a permutation and takes the first that are not concerned. The list's
         length is that of the anchor block, and later members are passed over: once the randomness is known, joining
         cannot change the outcome. See docs/decisions/0001-draw.md.
    @param id The task.
    @param anchor The block whose hash made the key.
    @param key Which permutation.
    @return DynArray The verifiers drawn.
    """
    chosen: DynArray[address, MAX_VERIFIERS] = []
    wanted: uint256 = self.tasks[id].terms.verifiers
    seats: uint256 = self.tasks[id].seats
    solver: address = self.tasks[id].solver
    submitter: address = self.tasks[id].submitter
    half: uint256 = self._half_width(seats)
    for i: uint256 in range(MAX_WALK):
        if i >= seats:
            break
        seat: uint256 = self._permute(i, seats, half, key)
        account: address = staticcall stakes.seated(VERIFIER, seat, anchor)
        if account == empty(address) or account == solver or account == submitter:
            continue
        chosen.append(account)
        if len(chosen) == wanted:
            return chosen
    raise "market: too few verifiers"


@internal
def _audit(id: bytes32):
    """
    @dev Ends the attestations and opens the window for reveals and claims.
    @param id The task.
    """
    deadline: uint256 = block.timestamp + self.tasks[id].terms.reveal_for
    self.tasks[id].state = AUDITED
    self.tasks[id].deadline = deadline
    log Audited(id=id, attestations=self.tasks[id].attestations, deadline=deadline)


@internal
def _close(id: bytes32):
    """
    @dev Ends the attestations after their deadline.
    @param id The task.
    """
    if self.tasks[id].attestations > 0:
        self._audit(id)
    elif self.tasks[id].seed == empty(bytes32):
        self._refund(id, "not drawn")
    else:
        self._refund(id, "not attested")


@internal
def _finish(id: bytes32):
    """
    @dev Ends the reveals: by payment if the result held, else by refund.
    @param id The task.
    """
    attestations: uint256 = self.tasks[id].attestations
    if self.tasks[id].matches < attestations:
        assert block.timestamp > self.tasks[id].deadline, "market: reveal window"
        if self.tasks[id].reveals < attestations:
            self._refund(id, "not revealed")
            return
        if self.tasks[id].matches == 0:
            self._refund(id, "no match")
            return
    self._pay(id)


@internal
def _pay(id: bytes32):
    """
    @dev Pays solver and matched verifiers, names the lazy ones, and gives the rest back.
    @param id The task.
    """
    terms: Terms = self.tasks[id].terms
    solver: address = self.tasks[id].solver
    self.tasks[id].state = SETTLED
    self._credit(id, solver, terms.price)
    fees: uint256 = 0
    position: uint256 = 0
    for verifier: address in self.drawn[id]:
        if self.matched[id][position]:
            fees += terms.fee
            self._credit(id, verifier, terms.fee)
        elif self.revealed[id][position]:
            log LazyVerifier(id=id, verifier=verifier)
        position += 1
    rest: uint256 = self._escrow_of(terms) - terms.price - fees
    if rest > 0:
        self._credit(id, self.tasks[id].submitter, rest)
    log Settled(
        id=id,
        solver=solver,
        final_root=self.tasks[id].final_root,
        paid=terms.price,
        fees=fees,
        refunded=rest,
    )


@internal
def _refund(id: bytes32, reason: String[32]):
    """
    @dev Gives the whole escrow back.
    @param id The task.
    @param reason Why, for people.
    """
    submitter: address = self.tasks[id].submitter
    amount: uint256 = self._escrow_of(self.tasks[id].terms)
    self.tasks[id].state = REFUNDED
    self._credit(id, submitter, amount)
    log Refunded(id=id, submitter=submitter, amount=amount, reason=reason)


@internal
def _credit(id: bytes32, account: address, amount: uint256):
    """
    @dev Lets `account` withdraw `amount` more.
    @param id The task because of which.
    @param account Whom to credit.
    @param amount How much.
    """
    self.owed[account] += amount
    log Credited(id=id, account=account, amount=amount)


@internal
@pure
def _task_id(submitter: address, salt: bytes32) -> bytes32:
    """
    @dev The id of a task.
    @param submitter Who posts it.
    @param salt The word that it posts it with.
    @return bytes32 The id.
    """
    return keccak256(abi_encode(submitter, salt))


@internal
@pure
def _escrow_of(terms: Terms) -> uint256:
    """
    @dev What posting these terms costs.
    @param terms The terms.
    @return uint256 price + fee * verifiers.
    """
    return terms.price + terms.fee * terms.verifiers


@internal
@pure
def _intervals(terms: Terms) -> uint256:
    """
    @dev Number of intervals; the last one may be shorter.
    @param terms The terms.
    @return uint256 ceil(steps / interval).
    """
    return (terms.steps + terms.interval - 1) // terms.interval


@internal
@pure
def _depth(intervals: uint256) -> uint256:
    """
    @dev Levels of the Merkle tree over intervals + 1 checkpoints, padded to a power of two.
    @param intervals Number of intervals, at least 1.
    @return uint256 The number of bits of `intervals`.
    """
    return self._bit_length(intervals)


@internal
@pure
def _bit_length(x: uint256) -> uint256:
    """
    @dev Number of bits of x, for x below 2**64.
    @param x What to measure.
    @return uint256 0 for 0, else 1 + floor(log2(x)).
    """
    bits: uint256 = 0
    for _: uint256 in range(64):
        if x >> bits == 0:
            break
        bits += 1
    return bits


@internal
@pure
def _drawn_intervals(terms: Terms, audit_seed: bytes32, position: uint256) -> DynArray[uint256, MAX_AUDIT]:
    """
    @dev The intervals of a verifier: consecutive places of one permutation of all intervals, so that a verifier's are all
         different and two verifiers share none unless there are too few.
    @param terms The terms.
    @param audit_seed The randomness.
    @param position The verifier's position among those drawn.
    @return DynArray Interval numbers.
    """
    n: uint256 = self._intervals(terms)
    half: uint256 = self._half_width(n)
    picks: DynArray[uint256, MAX_AUDIT] = []
    for t: uint256 in range(terms.audit_intervals, bound=MAX_AUDIT):
        picks.append(self._permute((position * terms.audit_intervals + t) % n, n, half, audit_seed))
    return picks


@internal
@pure
def _half_width(n: uint256) -> uint256:
    """
    @dev Bits of each half of the permutation's words.
    @param n Size of the set.
    @return uint256 max(1, ceil(bits of n - 1, divided by 2)).
    """
    if n < 2:
        return 1
    return max(1, (self._bit_length(n - 1) + 1) // 2)


@internal
@pure
def _permute(x: uint256, n: uint256, half: uint256, key: bytes32) -> uint256:
    """
    @dev Feistel network of 8 rounds over 2 * half bits, applied again until it lands below n (cycle walking). The round
         function is the 32-bit finaliser of MurmurHash3 over half plus round key. Arithmetic is modulo 2**32 by masking.
    @param x What to map, less than n.
    @param n Size of the set.
    @param half Bits of each half, from `_half_width(n)`.
    @param key Round keys: 8 big-endian words of 32 bits.
    @return uint256 The image of x, less than n.
    """
    if n == 1:
        return 0
    keys: uint256 = convert(key, uint256)
    mask: uint256 = (1 << half) - 1
    y: uint256 = x
    for _: uint256 in range(MAX_CYCLE):
        left: uint256 = y >> half
        right: uint256 = y & mask
        for r: uint256 in range(8):
            t: uint256 = unsafe_add(right, keys >> unsafe_sub(224, unsafe_mul(32, r))) & LOW_32_BITS
            t ^= t >> 16
            t = unsafe_mul(t, MIX_1) & LOW_32_BITS
            t ^= t >> 13
            t = unsafe_mul(t, MIX_2) & LOW_32_BITS
            t ^= t >> 16
            swapped: uint256 = left ^ (t & mask)
            left = right
            right = swapped
        y = (left << half) | right
        if y < n:
            return y
    raise "market: permute"
