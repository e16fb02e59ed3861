# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Market
@license Apache-2.0
@author The assay contributors
@notice Tasks with escrow: a submitter pays in, a solver commits to a result, verifiers drawn by lot replay parts of it,
        whistleblowers may look as well, and the money goes to those who did their work or back to the submitter. Who says
        that a result is wrong has to show it in the game; until then nothing moves. Every state that is not final has a
        deadline, and when it is over anybody may end it with `expire`. Nobody owns the contract.
@dev The life of a task and the deadlines are in docs/contracts.md. A task is one word and the hash of its result: every call
     brings the records that these stand for. Hashes of trajectories are SHA-256 with one-byte domain tags, as in assay.proof;
     hashes that only the chain sees are keccak256 of ABI-encoded words.
"""

from ethereum.ercs import IERC20

import lot
import records


interface Stakes:
    def is_active(account: address, role: uint256) -> bool: view
    def verifier_minimum() -> uint256: view
    def whistleblower_minimum() -> uint256: view
    def seated(role: uint256, index: uint256, since: uint256) -> address: view
    def verifiers_beside(submitter: address, solver: address) -> (uint256, uint256): view
    def lock(account: address, role: uint256, amount: uint256, active: bool): nonpayable
    def unlock(account: address, role: uint256, amount: uint256): nonpayable
    def slash(account: address, role: uint256, amount: uint256, kept: uint256): nonpayable


struct Task:
    id: bytes32
    state: uint256
    deadline: uint256  # Unix seconds at which the state is over; the last second still counts
    attestations: uint256  # how many verifiers have attested
    revealed: uint256  # bit j: the solver has revealed for the verifier at position j
    matched: uint256  # bit j: and it had attested to the same
    accusations: uint256  # sealed by others and not opened
    games: uint256  # disputes that are not ruled
    solver: address


# @notice A task is paid for.
event Posted:
    id: indexed(bytes32)
    submitter: indexed(address)
    salt: bytes32
    terms: records.Terms
    work: records.Work
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
    committed_at: uint256
    anchor: uint256
    seats: uint256
    deadline: uint256


# @notice Nobody drew within 256 blocks; the hash of block `anchor` is the randomness now, the list has `seats` members.
event Reanchored:
    id: indexed(bytes32)
    anchor: uint256
    seats: uint256


# @notice These verifiers replay the intervals that follow from `seed`.
event Drawn:
    id: indexed(bytes32)
    verifiers: DynArray[address, 16]
    seed: bytes32


# @notice A verifier has sealed what it found.
event Attested:
    id: indexed(bytes32)
    verifier: indexed(address)
    position: uint256
    commitment: bytes32


# @notice Somebody who was not drawn has sealed a finding.
event Accused:
    id: indexed(bytes32)
    accuser: indexed(address)
    role: uint256
    commitment: bytes32


# @notice No more attestations: the solver reveals, and sealed findings are opened as disputes, until the deadline.
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


# @notice A sealed finding is open, and a game about it begins.
event Disputed:
    id: indexed(bytes32)
    challenger: indexed(address)
    kind: uint256
    interval: uint256


# @notice A game is over: `upheld` says whether the challenger was right.
event Ruled:
    id: indexed(bytes32)
    challenger: indexed(address)
    interval: uint256
    upheld: bool


# @notice The solver admits a fault in an interval, which costs it the work and not the stake.
event Fault:
    id: indexed(bytes32)
    solver: indexed(address)
    interval: uint256


# @notice `account` loses `amount` of its stake in `role`: the challenger and the submitter get these parts, the rest is
#         burned.
event Condemned:
    id: indexed(bytes32)
    account: indexed(address)
    role: uint256
    amount: uint256
    reward: uint256
    compensation: uint256


# @notice A verifier attested to something that is not the solver's trace, and no ruling showed the trace to be wrong.
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


# @notice `account` has paid in `amount`, for tasks to come.
event Deposited:
    account: indexed(address)
    amount: uint256


# @notice `account` was paid all that it was owed.
event Withdrawn:
    account: indexed(address)
    amount: uint256


# @dev The states, as in assay.words.lifecycle (whose NONE is a word that Vyper keeps to itself). DISPUTED is never stored:
#      it is AUDITED while a game is going on.
NO_TASK: constant(uint256) = 0
OPEN: constant(uint256) = 1
ASSIGNED: constant(uint256) = 2
COMMITTED: constant(uint256) = 3
AUDITED: constant(uint256) = 4
SETTLED: constant(uint256) = 5
REFUNDED: constant(uint256) = 6
DISPUTED: constant(uint256) = 7

# @dev The roles, as in stakes.vy.
SOLVER: constant(uint256) = 1
VERIFIER: constant(uint256) = 2
WHISTLEBLOWER: constant(uint256) = 3

# @notice Of what a solver or verifier loses to a ruling, the challenger gets this share, in percent.
REWARD: public(constant(uint256)) = 25

# @notice Of what a solver loses, the submitter gets this share, in percent. The rest is burned, so that neither of the two
#         gains by provoking a slash (docs/economics.md).
COMPENSATION: public(constant(uint256)) = 25

# @notice Share of an accuser's lock, in percent, that is burned if it never opened what it had sealed and the result held:
#         a sealed accusation makes everybody wait.
SILENCE: public(constant(uint256)) = 50

# @notice Parts of the least stake that an attestation or an accusation locks: with the least stake one may have so many
#         at once.
LOCKS: public(constant(uint256)) = 4

# @notice Seconds between two faults that a solver may concede: 30 days.
FAULT_PERIOD: public(constant(uint256)) = 30 * 86400

# @dev Most verifiers of a task, and most intervals of a verifier.
MAX_VERIFIERS: constant(uint256) = 16
MAX_AUDIT: constant(uint256) = 32

# @dev Most levels of a trajectory's Merkle tree, hence most words of all proofs of a reveal.
MAX_DEPTH: constant(uint256) = 20
MAX_PROOF_WORDS: constant(uint256) = 640

# @dev Most positions of the verifiers' list that a draw looks at.
MAX_WALK: constant(uint256) = 128

# @dev Longest window of a state, in seconds: 30 days.
MAX_WINDOW: constant(uint256) = 30 * 86400

# @dev Larger amounts and counts are refused, so that no sum or product below can overflow.
MAX_AMOUNT: constant(uint256) = 2 ** 128
MAX_STAKE: constant(uint256) = 2 ** 88
MAX_STEPS: constant(uint256) = 2 ** 53

# @dev How far back the chain remembers block hashes.
HASHED_BLOCKS: constant(uint256) = 256

# @dev Most calls, and bytes of one, in `multicall`: its memory is paid for whether it is used or not.
MAX_CALLS: constant(uint256) = 20
MAX_CALL: constant(uint256) = 2560

# @dev Most accusations and games of a task at one time: what fits into its word.
MAX_ACCUSATIONS: constant(uint256) = 2 ** 10 - 1
MAX_GAMES: constant(uint256) = 2 ** 9 - 1

# @dev A sealed finding that was opened becomes OPENED plus the interval; smaller words are not taken as seals.
OPENED: constant(uint256) = 2 ** 64
LEAST_SEAL: constant(uint256) = 2 ** 128

# @dev `charged` of a task whose opened findings name several intervals.
SEVERAL: constant(uint256) = max_value(uint256)


# @notice The currency of prices and fees.
token: public(immutable(IERC20))

# @notice Where solvers, verifiers and whistleblowers are registered.
stakes: public(immutable(Stakes))

# @notice The contract in which sealed findings are disputed.
game: public(immutable(address))

# @notice What an attestation locks of a verifier's stake.
verifier_lock: public(immutable(uint256))

# @notice What an accusation locks of a whistleblower's stake.
whistleblower_lock: public(immutable(uint256))

# @notice keccak256(abi_encode(Result)) of a task, from the commitment to the end.
results: public(HashMap[bytes32, bytes32])

# @notice What a verifier or accuser has sealed about a task; once it is opened, 2**64 plus the interval.
sealed: public(HashMap[bytes32, HashMap[address, bytes32]])

# @notice The role with whose stake somebody who was not drawn accuses a task's result; 0 if it does not, or not any more.
accusing: public(HashMap[bytes32, HashMap[address, uint256]])

# @notice The interval that the opened findings name, plus one; 2**256 - 1 if they name several.
charged: public(HashMap[bytes32, uint256])

# @notice Whether the solver has made a move in a game about the task, and so cannot concede a fault any more.
has_answered: public(HashMap[bytes32, bool])

# @notice When a task's result was ruled to be wrong; 0 if it was not.
condemned_at: public(HashMap[bytes32, uint256])

# @notice When a solver may concede a fault again.
faultless_until: public(HashMap[address, uint256])

# @notice What an address may withdraw, or spend on tasks.
owed: public(HashMap[address, uint256])

# @dev A Task in one word, from the lowest bit: state 4, deadline 36, attestations 5, revealed 16, matched 16,
#      accusations 10, games 9, solver 160.
words: HashMap[bytes32, uint256]


@deploy
def __init__(token_: address, stakes_: address, game_: address):
    """
    @notice Fixes the currency, the registry and the game for good.
    @param token_ The ERC-20 in which prices and fees are held.
    @param stakes_ The registry of solvers, verifiers and whistleblowers.
    @param game_ Where the game will be: it is deployed after this contract, whose address it needs in turn.
    """
    assert token_.is_contract, "market: token"
    assert stakes_.is_contract, "market: stakes"
    assert game_ != empty(address), "market: game"
    token = IERC20(token_)
    stakes = Stakes(stakes_)
    game = game_
    verifier_lock = staticcall Stakes(stakes_).verifier_minimum() // LOCKS
    whistleblower_lock = staticcall Stakes(stakes_).whistleblower_minimum() // LOCKS


@external
@reentrant
def multicall(calls: DynArray[Bytes[MAX_CALL], MAX_CALLS]):
    """
    @notice Makes several calls to this contract, as the caller, in one transaction; all of them or none.
    @dev It takes no lock, so that each of the calls can take it. Nothing here is payable, so no value can be counted twice.
    @param calls The calls' data.
    """
    for data: Bytes[MAX_CALL] in calls:
        raw_call(self, data, is_delegate_call=True)


@external
def deposit(amount: uint256):
    """
    @notice Pays in money for tasks to come. `amount` must have been approved before; `withdraw` gives it back.
    @param amount How much.
    """
    self._pull(amount)
    self.owed[msg.sender] += amount
    log Deposited(account=msg.sender, amount=amount)


@external
def post(salt: bytes32, terms: records.Terms, work: records.Work) -> bytes32:
    """
    @notice Opens a task. Its escrow is taken from what the caller is owed here; the rest is pulled, and must have been
            approved before. The same salt and terms again are refused, so a post that is sent twice is paid once.
    @param salt Any word that the caller has not used before.
    @param terms What is to be done, for how much, and by when.
    @param work What `terms.work` is the hash of.
    @return bytes32 The task's id.
    """
    id: bytes32 = self._task_id(records.Key(submitter=msg.sender, salt=salt, terms=terms))
    if self.words[id] != 0:
        self._refuse("market: already posted")
    if terms.work != keccak256(abi_encode(work)):
        self._refuse("market: work")
    self._check_terms(terms)
    self._check_work(work)
    deadline: uint256 = block.timestamp + terms.open_for
    self.words[id] = OPEN | (deadline << 4)

    escrow: uint256 = self._escrow_of(terms)
    owed: uint256 = self.owed[msg.sender]
    if owed >= escrow:
        self.owed[msg.sender] = owed - escrow
    else:
        if owed > 0:
            self.owed[msg.sender] = 0
        self._pull(escrow - owed)
    log Posted(
        id=id, submitter=msg.sender, salt=salt, terms=terms, work=work, escrow=escrow, deadline=deadline
    )
    return id


@external
def cancel(key: records.Key):
    """
    @notice Takes back a task that nobody has accepted.
    @param key The task.
    """
    task: Task = self._task_in(key, OPEN)
    if msg.sender != key.submitter:
        self._refuse("market: not the submitter")
    self._refund(task, key, [], "cancelled")


@external
def accept(key: records.Key):
    """
    @notice Assigns the task to the caller, a staked solver, first come first served, and locks the collateral. Refused
            while there are too few verifiers to draw from, so that nobody works for nothing.
    @param key The task.
    """
    task: Task = self._task_in(key, OPEN)
    self._check_deadline(task)
    if msg.sender == key.submitter:
        self._refuse("market: own task")
    extcall stakes.lock(msg.sender, SOLVER, key.terms.collateral, True)
    self._seats(key, msg.sender)
    task.state = ASSIGNED
    task.solver = msg.sender
    task.deadline = block.timestamp + key.terms.work_for
    self._store(task)
    log Accepted(id=task.id, solver=msg.sender, deadline=task.deadline)


@external
def commit(key: records.Key, root: bytes32, final_root: bytes32, trajectory: bytes32, trajectory_size: uint256):
    """
    @notice Swears to a result. The hash of this block, which nobody knows yet, will draw the verifiers, from among
            those who are registered now.
    @param key The task.
    @param root Merkle root of the trajectory.
    @param final_root State root of the last checkpoint.
    @param trajectory SHA-256 of the trajectory's blob.
    @param trajectory_size Its size in bytes.
    """
    task: Task = self._task_in(key, ASSIGNED)
    if msg.sender != task.solver:
        self._refuse("market: not the solver")
    self._check_deadline(task)
    if root == empty(bytes32):
        self._refuse("market: root")
    task.state = COMMITTED
    task.deadline = block.timestamp + key.terms.attest_for
    self._store(task)
    result: records.Result = empty(records.Result)
    result.root = root
    result.final_root = final_root
    result.trajectory = trajectory
    result.trajectory_size = trajectory_size
    result.committed_at = block.timestamp
    result.anchor = block.number
    result.seats = self._seats(key, msg.sender)
    self.results[task.id] = self._hash(result)
    log Committed(
        id=task.id,
        solver=msg.sender,
        root=root,
        final_root=final_root,
        trajectory=trajectory,
        trajectory_size=trajectory_size,
        committed_at=block.timestamp,
        anchor=block.number,
        seats=result.seats,
        deadline=task.deadline,
    )


@external
def draw(key: records.Key, result: records.Result) -> records.Result:
    """
    @notice Draws the verifiers and their intervals, in a later block than the commitment's. If nobody did so within 256
            blocks, the first call takes a new block and the next one draws. The first `attest` draws as well: a verifier
            that calls this without a transaction knows whether and for what it is drawn, replays, and then attests.
    @param key The task.
    @param result Its result.
    @return Result The result from now on.
    """
    task: Task = self._task_with(key, result, COMMITTED)
    self._check_deadline(task)
    if result.seed != empty(bytes32):
        self._refuse("market: drawn")
    if block.number <= result.anchor:
        self._refuse("market: too early")
    if self._anchor_hash(result.anchor) != empty(bytes32):
        return self._drawn(task, key, result)
    moved: records.Result = result
    moved.anchor = block.number
    moved.seats = self._seats(key, task.solver)
    self.results[task.id] = self._hash(moved)
    log Reanchored(id=task.id, anchor=moved.anchor, seats=moved.seats)
    return moved


@external
def attest(key: records.Key, result: records.Result, commitment: bytes32):
    """
    @notice Seals what the caller, a drawn verifier, found, and locks a part of its stake. Draws if nobody has. The last attestation ends the wait.
    @param key The task.
    @param result Its result.
    @param commitment For a match keccak256(abi_encode(id, verifier, keccak256(digests))), where digests are the trace
                      digests of its intervals, in the order drawn, as plain bytes. For a mismatch
                      keccak256(abi_encode(id, verifier, kind, interval, salt)).
    """
    task: Task = self._task_with(key, result, COMMITTED)
    self._check_deadline(task)
    drawn: records.Result = result
    if result.seed == empty(bytes32):
        drawn = self._drawn(task, key, result)
    position: uint256 = self._position(drawn.verifiers, msg.sender)
    self._seal(task.id, commitment)
    extcall stakes.lock(msg.sender, VERIFIER, verifier_lock, False)
    log Attested(id=task.id, verifier=msg.sender, position=position, commitment=commitment)
    task.attestations += 1
    if task.attestations == key.terms.verifiers:
        task = self._audited(task, key, result.committed_at)
    self._store(task)


@external
def accuse(key: records.Key, result: records.Result, commitment: bytes32):
    """
    @notice Seals a finding of somebody who was not drawn: a whistleblower, or a verifier. Possible after the draw until
            `patrol_for` after the commitment. Locks a part of the caller's stake, until `release`.
    @param key The task.
    @param result Its result.
    @param commitment keccak256(abi_encode(id, accuser, kind, interval, salt)).
    """
    task: Task = self._task(self._task_id(key))
    if not (task.state == COMMITTED or task.state == AUDITED):
        self._refuse("market: state")
    self._check_result(task.id, result)
    if block.timestamp > result.committed_at + key.terms.patrol_for:
        self._refuse("market: patrol is over")
    if result.seed == empty(bytes32):
        self._refuse("market: not drawn")
    if msg.sender == task.solver:
        self._refuse("market: own task")
    if msg.sender in result.verifiers:
        self._refuse("market: drawn verifier")
    if task.accusations >= MAX_ACCUSATIONS:
        self._refuse("market: accusations")
    self._seal(task.id, commitment)
    role: uint256 = VERIFIER
    if staticcall stakes.is_active(msg.sender, WHISTLEBLOWER):
        role = WHISTLEBLOWER
    extcall stakes.lock(msg.sender, role, self._lock_of(role), True)
    self.accusing[task.id][msg.sender] = role
    task.accusations += 1
    self._store(task)
    log Accused(id=task.id, accuser=msg.sender, role=role, commitment=commitment)


@external
def reveal(
    key: records.Key,
    result: records.Result,
    position: uint256,
    digests: DynArray[bytes32, MAX_AUDIT],
    prev_roots: DynArray[bytes32, MAX_AUDIT],
    state_roots: DynArray[bytes32, MAX_AUDIT],
    batches: DynArray[bytes32, MAX_AUDIT],
    proofs: DynArray[bytes32, MAX_PROOF_WORDS],
):
    """
    @notice Opens the trace digests of the intervals of one verifier, and so shows whether it had found the same. Item t of
            each list belongs to interval k = the verifier's t-th, in the order drawn, that is to leaf k + 1 of the
            trajectory.
    @param key The task.
    @param result Its result.
    @param position The verifier's position among those drawn.
    @param digests Trace digests, secret until now.
    @param prev_roots State roots of the checkpoints k.
    @param state_roots State roots of the checkpoints k + 1.
    @param batches Roots of the row indices that lead from one to the other.
    @param proofs The Merkle paths, one after the other, each from the leaf's sibling upwards, `proof_depth` words long.
    """
    task: Task = self._task_with(key, result, AUDITED)
    if msg.sender != task.solver:
        self._refuse("market: not the solver")
    self._check_deadline(task)
    if position >= len(result.verifiers):
        self._refuse("market: position")
    verifier: address = result.verifiers[position]
    sealed: bytes32 = self.sealed[task.id][verifier]
    if sealed == empty(bytes32):
        self._refuse("market: not attested")
    if (task.revealed >> position) & 1 != 0:
        self._refuse("market: revealed")

    intervals: uint256 = lot._intervals(key.terms)
    depth: uint256 = lot._bit_length(intervals)
    n: uint256 = key.terms.audit_intervals
    if not (len(digests) == n and len(prev_roots) == n and len(state_roots) == n and len(batches) == n):
        self._refuse("market: length")
    if len(proofs) != n * depth:
        self._refuse("market: length")
    picks: DynArray[uint256, MAX_AUDIT] = lot._drawn_intervals(key.terms, result.seed, position)
    for t: uint256 in range(n, bound=MAX_AUDIT):
        leaf: uint256 = picks[t] + 1
        if leaf == intervals:
            if state_roots[t] != result.final_root:
                self._refuse("market: final root")
        node: bytes32 = sha256(
            concat(
                b"\x04",
                prev_roots[t],
                state_roots[t],
                convert(convert(min(leaf * key.terms.interval, key.terms.steps), uint64), bytes8),
                batches[t],
                key.terms.program_root,
                sha256(concat(b"\x05", digests[t])),
            )
        )
        for level: uint256 in range(depth, bound=MAX_DEPTH):
            sibling: bytes32 = proofs[t * depth + level]
            if (leaf >> level) & 1 == 0:
                node = sha256(concat(b"\x01", node, sibling))
            else:
                node = sha256(concat(b"\x01", sibling, node))
        if node != result.root:
            self._refuse("market: proof")

    # abi_encode puts an offset and a length before the words
    found: bytes32 = keccak256(slice(abi_encode(digests), 64, 32 * n))
    is_match: bool = sealed == keccak256(abi_encode(task.id, verifier, found))
    task.revealed |= 1 << position
    if is_match:
        task.matched |= 1 << position
    self._store(task)
    log Revealed(id=task.id, verifier=verifier, position=position, matched=is_match)


@external
def concede(key: records.Key, result: records.Result, interval: uint256):
    """
    @notice The solver admits that a fault of its machine spoilt one interval. It loses the work and keeps its stake; possible
            before its first move in a game, if nobody has named another interval, and once in FAULT_PERIOD.
    @param key The task.
    @param result Its result.
    @param interval The interval, counted from 0.
    """
    task: Task = self._task_with(key, result, AUDITED)
    if msg.sender != task.solver:
        self._refuse("market: not the solver")
    if not (task.games > 0 or block.timestamp <= task.deadline):
        self._refuse("market: expired")
    if interval >= lot._intervals(key.terms):
        self._refuse("market: interval")
    if self.has_answered[task.id]:
        self._refuse("market: answered")
    charged: uint256 = self.charged[task.id]
    if not (charged == 0 or charged == interval + 1):
        self._refuse("market: another interval")
    if block.timestamp < self.faultless_until[msg.sender]:
        self._refuse("market: second fault")
    self.faultless_until[msg.sender] = block.timestamp + FAULT_PERIOD
    log Fault(id=task.id, solver=msg.sender, interval=interval)
    self._refund(task, key, result.verifiers, "fault")


@external
def dispute(
    key: records.Key,
    result: records.Result,
    challenger: address,
    kind: uint256,
    interval: uint256,
    salt: bytes32,
) -> address:
    """
    @notice Opens what `challenger` has sealed as a finding. Only the game may call this. Possible when nobody can seal any
            more, until the deadline of AUDITED.
    @param key The task.
    @param result Its result.
    @param challenger Who sealed it.
    @param kind What is wrong, as the game numbers it.
    @param interval Where, counted from 0.
    @param salt The word that hid it.
    @return address The solver, who has to answer.
    """
    if msg.sender != game:
        self._refuse("market: not the game")
    task: Task = self._task_with(key, result, AUDITED)
    self._check_deadline(task)
    if block.timestamp <= result.committed_at + key.terms.patrol_for:
        self._refuse("market: patrol")
    if interval >= lot._intervals(key.terms):
        self._refuse("market: interval")
    if task.games >= MAX_GAMES:
        self._refuse("market: games")
    if not self._is_finding(task.id, challenger, kind, interval, salt):
        self._refuse("market: finding")
    self.sealed[task.id][challenger] = convert(OPENED + interval, bytes32)
    charged: uint256 = self.charged[task.id]
    if charged == 0:
        self.charged[task.id] = interval + 1
    elif charged != interval + 1:
        self.charged[task.id] = SEVERAL
    if self.accusing[task.id][challenger] != 0:
        task.accusations -= 1
    task.games += 1
    self._store(task)
    log Disputed(id=task.id, challenger=challenger, kind=kind, interval=interval)
    return task.solver


@external
def answered(id: bytes32):
    """
    @notice The solver has made a move: it stands by its result. Only the game may call this.
    @param id The task.
    """
    if msg.sender != game:
        self._refuse("market: not the game")
    self.has_answered[id] = True


@external
def rule(key: records.Key, result: records.Result, challenger: address, upheld: bool):
    """
    @notice Ends a dispute. Only the game may call this. If the challenger was right the task ends at once: the submitter has
            its escrow back, and solver and those verifiers who swore to the proven interval lose what they had locked.
            A task that has ended already stays as it is.
    @param key The task.
    @param result Its result.
    @param challenger Who disputes.
    @param upheld Whether it was right.
    """
    if msg.sender != game:
        self._refuse("market: not the game")
    task: Task = self._task(self._task_id(key))
    if task.state == SETTLED or task.state == REFUNDED:
        return
    if not (task.state == AUDITED and task.games > 0):
        self._refuse("market: state")
    self._check_result(task.id, result)
    mark: uint256 = convert(self.sealed[task.id][challenger], uint256)
    if not (mark >= OPENED and mark < LEAST_SEAL):
        self._refuse("market: not disputed")
    task.games -= 1
    log Ruled(id=task.id, challenger=challenger, interval=mark - OPENED, upheld=upheld)
    if upheld:
        self._condemn(task, key, result, challenger, mark - OPENED)
    else:
        self._store(task)


@external
def settle(key: records.Key, result: records.Result):
    """
    @notice Pays, as soon as the solver has revealed for every verifier that attested, all of them matched, the patrol is over
            and no accusation is left; else after the reveal deadline, because what is sealed may still be opened.
    @param key The task.
    @param result Its result.
    """
    task: Task = self._task_with(key, result, AUDITED)
    self._finish(task, key, result)


@external
def expire(key: records.Key, result: records.Result):
    """
    @notice Ends a state whose deadline is over. Whatever happened, at most two calls bring any task to its end: one for the
            attestations, one for the reveals; only games that are going on have to end first.
    @param key The task.
    @param result Its result; any before the commitment.
    """
    task: Task = self._task(self._task_id(key))
    if not (task.state >= OPEN and task.state <= AUDITED):
        self._refuse("market: state")
    self._check_expired(task)
    if task.state == OPEN:
        self._refund(task, key, [], "not accepted")
    elif task.state == ASSIGNED:
        self._refund(task, key, [], "not solved")
    else:
        self._check_result(task.id, result)
        if task.state == COMMITTED:
            self._close(task, key, result)
        else:
            self._finish(task, key, result)


@external
def release(id: bytes32, account: address, kind: uint256, interval: uint256, salt: bytes32):
    """
    @notice Frees what an accusation has locked, when the task has ended; a part is burned if it was never opened though the
            result held. Also frees a verifier who was drawn for an interval that was ruled to be wrong, and for whom the
            solver had not revealed: it shows that it had sealed a finding. If it does not within 30 days, its lock is burned.
    @param id The task.
    @param account Whose lock.
    @param kind Of the sealed finding; any for an accusation.
    @param interval Of the sealed finding; any for an accusation.
    @param salt Of the sealed finding; any for an accusation.
    """
    state: uint256 = self._task(id).state
    if not (state == SETTLED or state == REFUNDED):
        self._refuse("market: state")
    role: uint256 = self.accusing[id][account]
    sealed: uint256 = convert(self.sealed[id][account], uint256)
    lost: uint256 = 0
    if role != 0:
        self.accusing[id][account] = 0
        if state == SETTLED and sealed >= LEAST_SEAL:
            lost = self._lock_of(role) * SILENCE // 100
    else:
        if not (self.condemned_at[id] != 0 and sealed >= LEAST_SEAL):
            self._refuse("market: nothing to release")
        role = VERIFIER
        if not self._is_finding(id, account, kind, interval, salt):
            if block.timestamp <= self.condemned_at[id] + MAX_WINDOW:
                self._refuse("market: finding")
            lost = verifier_lock
    self.sealed[id][account] = empty(bytes32)
    if lost > 0:
        self._punish(id, account, role, lost, empty(address), empty(address))
    if lost < self._lock_of(role):
        extcall stakes.unlock(account, role, self._lock_of(role) - lost)


@external
def withdraw() -> uint256:
    """
    @notice Pays the caller all that it is owed.
    @return uint256 The amount paid.
    """
    amount: uint256 = self.owed[msg.sender]
    if amount == 0:
        self._refuse("market: nothing owed")
    self.owed[msg.sender] = 0
    if not extcall token.transfer(msg.sender, amount, default_return_value=True):
        self._refuse("market: transfer")
    log Withdrawn(account=msg.sender, amount=amount)
    return amount


@external
@view
def tasks(id: bytes32) -> Task:
    """
    @notice How a task stands.
    @param id The task.
    @return Task Its state and counts; DISPUTED for AUDITED while a game is going on.
    """
    task: Task = self._task(id)
    if task.state == AUDITED and task.games > 0:
        task.state = DISPUTED
    return task


@external
@view
def state(id: bytes32) -> uint256:
    """
    @notice The state of a task.
    @param id The task.
    @return uint256 Its number; DISPUTED for AUDITED while a game is going on.
    """
    task: Task = self._task(id)
    if task.state == AUDITED and task.games > 0:
        return DISPUTED
    return task.state


@external
@pure
def task_id(key: records.Key) -> bytes32:
    """
    @notice The id that a task has, or will have.
    @param key The task.
    @return bytes32 keccak256(abi_encode(key)).
    """
    return self._task_id(key)


@external
@pure
def escrow_of(terms: records.Terms) -> uint256:
    """
    @notice What posting these terms costs.
    @param terms The terms.
    @return uint256 price + fee * verifiers.
    """
    return self._escrow_of(terms)


@external
@pure
def proof_depth(terms: records.Terms) -> uint256:
    """
    @notice Number of words of one Merkle path in a reveal.
    @param terms The task's terms.
    @return uint256 Levels of the tree over intervals + 1 leaves, padded to a power of two.
    """
    return lot._bit_length(lot._intervals(terms))


@internal
@pure
def _task_id(key: records.Key) -> bytes32:
    """
    @dev The id of a task.
    @param key The task.
    @return bytes32 The id.
    """
    return keccak256(abi_encode(key))


@internal
@pure
def _hash(result: records.Result) -> bytes32:
    """
    @dev What is kept of a result.
    @param result The result.
    @return bytes32 The hash.
    """
    return keccak256(abi_encode(result))


@internal
@pure
def _escrow_of(terms: records.Terms) -> uint256:
    """
    @dev What posting these terms costs.
    @param terms The terms.
    @return uint256 price + fee * verifiers.
    """
    return terms.price + terms.fee * terms.verifiers


@internal
@view
def _lock_of(role: uint256) -> uint256:
    """
    @dev What an attestation or accusation locks.
    @param role 2 verifier, 3 whistleblower.
    @return uint256 The amount.
    """
    return whistleblower_lock if role == WHISTLEBLOWER else verifier_lock


@internal
@view
def _task(id: bytes32) -> Task:
    """
    @dev A task's word, taken apart.
    @param id The task.
    @return Task Its parts.
    """
    word: uint256 = self.words[id]
    return Task(
        id=id,
        state=word & 15,
        deadline=(word >> 4) & (2 ** 36 - 1),
        attestations=(word >> 40) & 31,
        revealed=(word >> 45) & (2 ** 16 - 1),
        matched=(word >> 61) & (2 ** 16 - 1),
        accusations=(word >> 77) & (2 ** 10 - 1),
        games=(word >> 87) & (2 ** 9 - 1),
        solver=convert(word >> 96, address),
    )


@internal
@view
def _task_in(key: records.Key, state: uint256) -> Task:
    """
    @dev Likewise, refusing a task that is in another state.
    @param key The task's key.
    @param state The state it must be in.
    @return Task Its parts.
    """
    task: Task = self._task(self._task_id(key))
    if task.state != state:
        self._refuse("market: state")
    return task


@internal
@view
def _task_with(key: records.Key, result: records.Result, state: uint256) -> Task:
    """
    @dev Likewise, refusing a result that is not the task's, too.
    @param key The task's key.
    @param result Its result.
    @param state The state it must be in.
    @return Task Its parts.
    """
    task: Task = self._task_in(key, state)
    self._check_result(task.id, result)
    return task


@internal
def _store(task: Task):
    """
    @dev Puts a task's word together.
    @param task The task.
    """
    self.words[task.id] = (
        task.state
        | (task.deadline << 4)
        | (task.attestations << 40)
        | (task.revealed << 45)
        | (task.matched << 61)
        | (task.accusations << 77)
        | (task.games << 87)
        | (convert(task.solver, uint256) << 96)
    )


@internal
@view
def _check_result(id: bytes32, result: records.Result):
    """
    @dev Refuses a result that is not the task's.
    @param id The task.
    @param result The result.
    """
    if self._hash(result) != self.results[id]:
        self._refuse("market: result")


@internal
@view
def _check_deadline(task: Task):
    """
    @dev Refuses actions after the deadline.
    @param task The task.
    """
    if block.timestamp > task.deadline:
        self._refuse("market: expired")


@internal
@view
def _check_expired(task: Task):
    """
    @dev Refuses time-outs before the deadline is over.
    @param task The task.
    """
    if block.timestamp <= task.deadline:
        self._refuse("market: not expired")


@internal
@pure
def _check_terms(terms: records.Terms):
    """
    @dev Refuses terms that could not be carried out.
    @param terms The terms.
    """
    if not (terms.price < MAX_AMOUNT and terms.fee < MAX_AMOUNT and terms.collateral < MAX_STAKE):
        self._refuse("market: amount")
    if not (terms.steps >= 1 and terms.steps <= MAX_STEPS):
        self._refuse("market: steps")
    if not (terms.interval >= 1 and terms.interval <= MAX_STEPS):
        self._refuse("market: interval")
    intervals: uint256 = lot._intervals(terms)
    if intervals >= 2 ** MAX_DEPTH:
        self._refuse("market: too many intervals")
    if not (terms.verifiers >= 1 and terms.verifiers <= MAX_VERIFIERS):
        self._refuse("market: verifiers")
    if not (terms.audit_intervals >= 1 and terms.audit_intervals <= min(MAX_AUDIT, intervals)):
        self._refuse("market: audit intervals")
    for window: uint256 in [terms.open_for, terms.work_for, terms.attest_for, terms.reveal_for]:
        if not (window >= 1 and window <= MAX_WINDOW):
            self._refuse("market: window")
    if terms.patrol_for > terms.attest_for:
        self._refuse("market: patrol")


@internal
@pure
def _check_work(work: records.Work):
    """
    @dev Refuses work that could not be disputed.
    @param work The work.
    """
    if not (work.rows >= 1 and work.batch_size >= 1):
        self._refuse("market: rows")
    if not (work.ways >= 2 and work.ways <= 64 and work.ways & (work.ways - 1) == 0):
        self._refuse("market: ways")
    if not (work.clock >= 1 and work.clock <= MAX_WINDOW):
        self._refuse("market: clock")
    if not (work.extension >= 1 and work.extension <= MAX_WINDOW):
        self._refuse("market: clock")
    if work.bond >= MAX_STAKE:
        self._refuse("market: amount")


@internal
@view
def _seats(key: records.Key, solver: address) -> uint256:
    """
    @dev Length of the verifiers' list; refuses to go on while there are too few besides submitter and solver.
    @param key The task.
    @param solver The task's solver.
    @return uint256 The length.
    """
    seats: uint256 = 0
    available: uint256 = 0
    seats, available = staticcall stakes.verifiers_beside(key.submitter, solver)
    if available < key.terms.verifiers:
        self._refuse("market: too few verifiers")
    return seats


@internal
@pure
def _position(drawn: DynArray[address, MAX_VERIFIERS], verifier: address) -> uint256:
    """
    @dev Position of a verifier among those drawn; refuses everybody else.
    @param drawn Those drawn.
    @param verifier Whom to look for.
    @return uint256 Its position.
    """
    position: uint256 = 0
    for account: address in drawn:
        if account == verifier:
            return position
        position += 1
    self._refuse("market: not a drawn verifier")
    return 0


@internal
def _seal(id: bytes32, commitment: bytes32):
    """
    @dev Keeps what the caller has sealed, once.
    @param id The task.
    @param commitment The seal: a hash, hence not a small number, which stands for an opened one.
    """
    if self.sealed[id][msg.sender] != empty(bytes32):
        self._refuse("market: attested")
    if convert(commitment, uint256) < LEAST_SEAL:
        self._refuse("market: commitment")
    self.sealed[id][msg.sender] = commitment


@internal
@view
def _is_finding(id: bytes32, account: address, kind: uint256, interval: uint256, salt: bytes32) -> bool:
    """
    @dev Whether this is what `account` has sealed.
    @param id The task.
    @param account Who sealed.
    @param kind What is wrong.
    @param interval Where.
    @param salt The word that hid it.
    @return bool True if it is.
    """
    return self.sealed[id][account] == keccak256(abi_encode(id, account, kind, interval, salt))


@internal
@view
def _anchor_hash(anchor: uint256) -> bytes32:
    """
    @dev The hash of a block, while the chain remembers it.
    @param anchor The block's number, below the current one.
    @return bytes32 Its hash, zero if it is forgotten.
    """
    if block.number - anchor > HASHED_BLOCKS:
        return empty(bytes32)
    return blockhash(anchor)


@internal
def _drawn(task: Task, key: records.Key, result: records.Result) -> records.Result:
    """
    @dev Walks the verifiers' list in the order of a permutation and takes the first that are not concerned. The list's
         length is that of the anchor block, and later members are passed over: once the randomness is known, joining
         cannot change the outcome. See docs/decisions/0001-draw.md.
    @param task The task.
    @param key The task's key.
    @param result Its result before the draw.
    @return Result Its result after the draw.
    """
    if block.number <= result.anchor:
        self._refuse("market: too early")
    randomness: bytes32 = self._anchor_hash(result.anchor)
    if randomness == empty(bytes32):
        self._refuse("market: too late")
    drawn: records.Result = result
    drawn.seed = keccak256(abi_encode(randomness, task.id, result.root))
    order: bytes32 = keccak256(abi_encode(drawn.seed, "verifiers"))
    half: uint256 = lot._half_width(result.seats)
    for i: uint256 in range(MAX_WALK):
        if i >= result.seats:
            break
        seat: uint256 = lot._permute(i, result.seats, half, order)
        account: address = staticcall stakes.seated(VERIFIER, seat, result.anchor)
        if account == empty(address) or account == task.solver or account == key.submitter:
            continue
        drawn.verifiers.append(account)
        if len(drawn.verifiers) == key.terms.verifiers:
            self.results[task.id] = self._hash(drawn)
            log Drawn(id=task.id, verifiers=drawn.verifiers, seed=drawn.seed)
            return drawn
    self._refuse("market: too few verifiers")
    return drawn


@internal
def _audited(task: Task, key: records.Key, committed_at: uint256) -> Task:
    """
    @dev Ends the attestations and opens the window for reveals and disputes, which is whole after the patrol.
    @param task The task.
    @param key The task's key.
    @param committed_at When the solver committed.
    @return Task The parts, to be stored.
    """
    audited: Task = task
    audited.state = AUDITED
    audited.deadline = max(block.timestamp, committed_at + key.terms.patrol_for) + key.terms.reveal_for
    log Audited(id=task.id, attestations=audited.attestations, deadline=audited.deadline)
    return audited


@internal
def _close(task: Task, key: records.Key, result: records.Result):
    """
    @dev Ends the attestations after their deadline.
    @param task The task.
    @param key The task's key.
    @param result Its result.
    """
    if task.attestations > 0 or task.accusations > 0:
        self._store(self._audited(task, key, result.committed_at))
    elif result.seed == empty(bytes32):
        self._refund(task, key, [], "not drawn")
    else:
        self._refund(task, key, [], "not attested")


@internal
def _finish(task: Task, key: records.Key, result: records.Result):
    """
    @dev Ends the reveals: by payment if the result held, else by refund. A solver that has not opened what it committed to
         loses its collateral; a task that nobody attested or matched only costs it the work.
    @param task The task.
    @param key The task's key.
    @param result Its result.
    """
    if task.games != 0:
        self._refuse("market: disputed")
    matches: uint256 = self._ones(task.matched)
    early: bool = matches == task.attestations and matches > 0 and task.accusations == 0
    if not early or block.timestamp <= result.committed_at + key.terms.patrol_for:
        if block.timestamp <= task.deadline:
            self._refuse("market: reveal window")
        if self._ones(task.revealed) < task.attestations:
            self._punish(task.id, task.solver, SOLVER, key.terms.collateral, empty(address), key.submitter)
            silent: Task = task
            silent.solver = empty(address)  # nothing is left to be unlocked
            self._refund(silent, key, result.verifiers, "not revealed")
            return
        if matches == 0:
            self._refund(task, key, result.verifiers, "not attested" if task.attestations == 0 else "no match")
            return
    self._pay(task, key, result)


@internal
def _pay(task: Task, key: records.Key, result: records.Result):
    """
    @dev Pays solver and matched verifiers, names the lazy ones, and gives the rest back.
    @param task The task.
    @param key The task's key.
    @param result Its result.
    """
    self._end(task.id, SETTLED)
    extcall stakes.unlock(task.solver, SOLVER, key.terms.collateral)
    self._credit(task.id, task.solver, key.terms.price)
    fees: uint256 = 0
    position: uint256 = 0
    for verifier: address in result.verifiers:
        if (task.revealed >> position) & 1 == 1:
            self.sealed[task.id][verifier] = empty(bytes32)
            extcall stakes.unlock(verifier, VERIFIER, verifier_lock)
            if (task.matched >> position) & 1 == 1:
                fees += key.terms.fee
                self._credit(task.id, verifier, key.terms.fee)
            else:
                log LazyVerifier(id=task.id, verifier=verifier)
        position += 1
    rest: uint256 = self._escrow_of(key.terms) - key.terms.price - fees
    if rest > 0:
        self._credit(task.id, key.submitter, rest)
    log Settled(
        id=task.id,
        solver=task.solver,
        final_root=result.final_root,
        paid=key.terms.price,
        fees=fees,
        refunded=rest,
    )


@internal
def _refund(
    task: Task,
    key: records.Key,
    verifiers: DynArray[address, MAX_VERIFIERS],
    reason: String[32],
):
    """
    @dev Gives the whole escrow back, and frees what solver and verifiers have locked.
    @param task The task; no solver if its collateral is gone.
    @param key The task's key.
    @param verifiers Those drawn whose locks are to be freed.
    @param reason Why, for people.
    """
    self._end(task.id, REFUNDED)
    if task.solver != empty(address):
        extcall stakes.unlock(task.solver, SOLVER, key.terms.collateral)
    for verifier: address in verifiers:
        if self.sealed[task.id][verifier] != empty(bytes32):
            extcall stakes.unlock(verifier, VERIFIER, verifier_lock)
    amount: uint256 = self._escrow_of(key.terms)
    self._credit(task.id, key.submitter, amount)
    log Refunded(id=task.id, submitter=key.submitter, amount=amount, reason=reason)


@internal
def _condemn(
    task: Task,
    key: records.Key,
    result: records.Result,
    challenger: address,
    interval: uint256,
):
    """
    @dev Ends a task whose result is wrong.
    @param task The task.
    @param key The task's key.
    @param result Its result.
    @param challenger Who has shown it.
    @param interval Where it is wrong.
    """
    self.condemned_at[task.id] = block.timestamp
    self._punish(task.id, task.solver, SOLVER, key.terms.collateral, challenger, key.submitter)
    position: uint256 = 0
    for verifier: address in result.verifiers:
        sealed: uint256 = convert(self.sealed[task.id][verifier], uint256)
        if sealed != 0:
            open: bool = True
            if sealed >= LEAST_SEAL and interval in lot._drawn_intervals(key.terms, result.seed, position):
                if (task.matched >> position) & 1 == 1:
                    self._punish(task.id, verifier, VERIFIER, verifier_lock, challenger, empty(address))
                    open = False
                elif (task.revealed >> position) & 1 == 0:
                    # it may have sealed the same finding, or sworn to what is wrong: `release` will show which
                    position += 1
                    continue
            self.sealed[task.id][verifier] = empty(bytes32)
            if open:
                extcall stakes.unlock(verifier, VERIFIER, verifier_lock)
        position += 1
    ended: Task = task
    ended.solver = empty(address)
    self._refund(ended, key, [], "ruled wrong")


@internal
def _punish(
    id: bytes32, account: address, role: uint256, amount: uint256, challenger: address, submitter: address
):
    """
    @dev Takes what was locked: a share each to challenger and submitter, where there are such, and the rest is burned.
    @param id The task.
    @param account Who is punished.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @param amount How much it loses.
    @param challenger Who has shown it, or nobody.
    @param submitter Who is compensated, or nobody.
    """
    if amount == 0:
        return
    reward: uint256 = 0
    compensation: uint256 = 0
    if challenger != empty(address):
        reward = amount * REWARD // 100
    if submitter != empty(address):
        compensation = amount * COMPENSATION // 100
    extcall stakes.slash(account, role, amount, reward + compensation)
    log Condemned(
        id=id, account=account, role=role, amount=amount, reward=reward, compensation=compensation
    )
    if reward > 0:
        self._credit(id, challenger, reward)
    if compensation > 0:
        self._credit(id, submitter, compensation)


@internal
def _end(id: bytes32, state: uint256):
    """
    @dev Leaves of a task what will always be asked for, and clears the rest.
    @param id The task.
    @param state SETTLED or REFUNDED.
    """
    solver: uint256 = self.words[id] >> 96
    self.words[id] = state | (solver << 96)
    if self.results[id] != empty(bytes32):
        self.results[id] = empty(bytes32)


@internal
@pure
def _ones(mask: uint256) -> uint256:
    """
    @dev Number of ones in a mask.
    @param mask What to count, of 16 bits.
    @return uint256 How many.
    """
    count: uint256 = 0
    rest: uint256 = mask
    for _: uint256 in range(MAX_VERIFIERS):
        if rest == 0:
            break
        rest = rest & (rest - 1)
        count += 1
    return count


@internal
def _pull(amount: uint256):
    """
    @dev Takes money from the caller, exactly.
    @param amount How much.
    """
    if amount == 0:
        return
    before: uint256 = staticcall token.balanceOf(self)
    if not extcall token.transferFrom(msg.sender, self, amount, default_return_value=True):
        self._refuse("market: transfer")
    if staticcall token.balanceOf(self) != before + amount:
        self._refuse("market: fee on transfer")


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
def _refuse(reason: String[32]):
    """
    @dev Reverts. One place for it: a reason spelled out at each check would cost a third of the code's size.
    @param reason Why.
    """
    raise reason
