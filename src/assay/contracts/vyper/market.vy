# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
# pragma optimize codesize
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


interface Rules:
    def escrow(terms: records.Terms, work: records.Work) -> uint256: view


interface Stakes:
    def is_active(account: address, role: uint256) -> bool: view
    def verifier_minimum() -> uint256: view
    def whistleblower_minimum() -> uint256: view
    def seated(role: uint256, index: uint256, since: uint256, amount: uint256) -> address: view
    def verifiers_beside(submitter: address, solver: address) -> (uint256, uint256): view
    def engage(solver: address, amount: uint256, submitter: address) -> uint256: nonpayable
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


# @notice Nobody drew within 256 blocks, or nobody of those drawn attested; the hash of block `anchor` is the randomness now,
#         the list has `seats` members.
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


# @notice Of a task with forced errors: the solver has published a result (`mark` 0), or opened the sealed one, which counts
#         from now on (else, see `unsealed`).
event Replaced:
    id: indexed(bytes32)
    result: records.Result
    mark: uint256


# @notice What an account had sealed was right: it had found the forced error.
event Vindicated:
    id: indexed(bytes32)
    account: indexed(address)


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


# @notice The solver admits a fault in an interval, which costs it the work and the verifiers' fees.
event Fault:
    id: indexed(bytes32)
    solver: indexed(address)
    interval: uint256


# @notice `account` loses `amount` of its stake in `role`: the challenger, the submitter and verifiers get these parts, the
#         rest is burned.
event Condemned:
    id: indexed(bytes32)
    account: indexed(address)
    role: uint256
    amount: uint256
    reward: uint256
    compensation: uint256
    fees: uint256


# @notice A verifier attested to something that is not the solver's trace, and no ruling showed the trace to be wrong.
event LazyVerifier:
    id: indexed(bytes32)
    verifier: indexed(address)


# @notice The result held. `paid` is the solver's, `fees` are those of the verifiers that matched, `refunded` is the
#         submitter's.
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


# @notice `account` may withdraw `amount` more, which somebody else has lost because of this task.
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
REWARD: constant(uint256) = 25

# @notice Of what a solver loses, the submitter gets this share, in percent. The rest is burned, so that neither of the two
#         gains by provoking a slash (docs/economics.md).
COMPENSATION: constant(uint256) = 25

# @notice Share of a lock, in percent, that is burned if somebody sealed neither a match nor what it opened later, and the
#         result held: that makes everybody wait. Who opens it and is wrong pays with its bonds.
SILENCE: constant(uint256) = 50

# @notice Parts of the least stake that an accusation locks: with the least stake one may have so many at once.
LOCKS: constant(uint256) = 4

# @notice Seconds between two faults that a solver may concede: 30 days.
FAULT_PERIOD: constant(uint256) = 30 * 86400

# @dev Most verifiers of a task, and most intervals of a verifier.
MAX_VERIFIERS: constant(uint256) = 16
MAX_AUDIT: constant(uint256) = 32

# @dev Most levels of a trajectory's Merkle tree, and most bytes of a reveal (rules.vy sees to it): its memory is paid for
#      whether it is used or not.
MAX_DEPTH: constant(uint256) = 20
MAX_DIGESTS: constant(uint256) = 32 * MAX_AUDIT
MAX_PROOFS: constant(uint256) = 12288

# @dev Most positions of the verifiers' list that a draw looks at.
MAX_WALK: constant(uint256) = 128

# @dev Longest window of a state, in seconds: 30 days.
MAX_WINDOW: constant(uint256) = 30 * 86400

# @dev How far back the chain remembers block hashes.
HASHED_BLOCKS: constant(uint256) = 256

# @dev Most calls, and bytes of one, in `multicall`: its memory is paid for whether it is used or not.
MAX_CALLS: constant(uint256) = 12
MAX_CALL: constant(uint256) = 2560

# @dev Most accusations and games of a task at one time: what fits into its word.
MAX_ACCUSATIONS: constant(uint256) = 2 ** 10 - 1
MAX_GAMES: constant(uint256) = 2 ** 9 - 1

# @dev A sealed finding that was opened becomes OPENED plus the interval, and REJECTED after a ruling against it; small
#      words are not taken as seals.
REJECTED: constant(uint256) = 1
OPENED: constant(uint256) = 2 ** 64
LEAST_SEAL: constant(uint256) = 2 ** 128

# @dev `charged` of a task whose opened findings name several intervals.
SEVERAL: constant(uint256) = max_value(uint256)


# @notice The currency of prices and fees.
token: public(immutable(IERC20))

# @notice Where solvers, verifiers and whistleblowers are registered.
stakes: public(immutable(Stakes))

# @dev Which tasks are taken.
rules: immutable(Rules)

# @notice The contract in which sealed findings are disputed.
game: public(immutable(address))

# @notice The contract of forced errors, which alone may replace results.
jackpot: public(immutable(address))

# @notice What an accusation locks of a verifier's stake.
verifier_lock: public(immutable(uint256))

# @notice What an accusation locks of a whistleblower's stake.
whistleblower_lock: public(immutable(uint256))

# @notice keccak256(abi_encode(Result)) of a task, from the commitment to the end.
results: public(HashMap[bytes32, bytes32])

# @notice What a verifier or accuser has sealed about a task; once it is opened, 2**64 plus the interval, and 1 once it is
#         ruled to be wrong.
sealed: public(HashMap[bytes32, HashMap[address, bytes32]])

# @notice The role with whose stake somebody who was not drawn accuses a task's result; 0 if it does not, or not any more.
accusing: public(HashMap[bytes32, HashMap[address, uint256]])

# @notice The interval that the opened findings name, plus one; 2**256 - 1 if they name several.
charged: public(HashMap[bytes32, uint256])

# @notice Whether the solver has made a move in a game about the task, and so cannot concede a fault any more.
has_answered: public(HashMap[bytes32, bool])

# @notice When a task's result was ruled to be wrong; 0 if it was not.
condemned_at: public(HashMap[bytes32, uint256])

# @notice Of a task with forced errors, once its seal is open: 1, and bit j + 1 if the verifier at position j drew the error.
unsealed: public(HashMap[bytes32, uint256])

# @dev When a solver may concede a fault again.
faultless_until: HashMap[address, uint256]

# @notice What an address may withdraw, or spend on tasks.
owed: public(HashMap[address, uint256])

# @dev A Task in one word, from the lowest bit: state 4, deadline 36, attestations 5, revealed 16, matched 16,
#      accusations 10, games 9, solver 160.
words: HashMap[bytes32, uint256]


@deploy
def __init__(token_: address, stakes_: address, rules_: address, game_: address, jackpot_: address):
    """
    @notice Fixes the currency, the registry and the game for good.
    @param token_ The ERC-20 in which prices and fees are held.
    @param stakes_ The registry of solvers, verifiers and whistleblowers.
    @param rules_ Says which tasks are taken.
    @param game_ Where the game will be: it is deployed after this contract, whose address it needs in turn.
    @param jackpot_ Where the contract of forced errors will be, likewise.
    """
    assert token_.is_contract, "market: token"
    assert stakes_.is_contract, "market: stakes"
    assert rules_.is_contract, "market: rules"
    assert game_ != empty(address), "market: game"
    assert jackpot_ != empty(address), "market: jackpot"
    token = IERC20(token_)
    stakes = Stakes(stakes_)
    rules = Rules(rules_)
    game = game_
    jackpot = jackpot_
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
        self._refuse("already posted")
    escrow: uint256 = staticcall rules.escrow(terms, work)
    self.words[id] = OPEN | ((block.timestamp + terms.open_for) << 4)
    owed: uint256 = self.owed[msg.sender]
    if owed >= escrow:
        self.owed[msg.sender] = owed - escrow
    else:
        if owed > 0:
            self.owed[msg.sender] = 0
        self._pull(escrow - owed)
    log Posted(id=id, submitter=msg.sender, salt=salt, terms=terms, work=work)
    return id


@external
def cancel(key: records.Key):
    """
    @notice Takes back a task that nobody has accepted.
    @param key The task.
    """
    task: Task = self._task_in(key, OPEN)
    if msg.sender != key.submitter:
        self._refuse("not the submitter")
    self._refund(task, key, "cancelled")


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
        self._refuse("own task")
    if extcall stakes.engage(msg.sender, key.terms.collateral, key.submitter) < key.terms.verifiers:
        self._refuse("too few verifiers")
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
    @param root Merkle root of the trajectory; with forced errors the seal of the result, and the rest is zero.
    @param final_root State root of the last checkpoint.
    @param trajectory SHA-256 of the trajectory's blob.
    @param trajectory_size Its size in bytes.
    """
    task: Task = self._task_in(key, ASSIGNED)
    if msg.sender != task.solver:
        self._refuse("not the solver")
    self._check_deadline(task)
    if root == empty(bytes32):
        self._refuse("root")
    if (trajectory_size == 0) != (key.terms.forced > 0):
        self._refuse("sealed")
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
        self._refuse("drawn")
    if self._anchor_hash(result.anchor) != empty(bytes32):
        return self._drawn(task, key, result)
    return self._reanchored(task, key, result)


@external
def attest(key: records.Key, result: records.Result, commitment: bytes32):
    """
    @notice Seals what the caller, a drawn verifier, found, and locks a part of its stake. Draws if nobody has. The last
            attestation ends the wait.
    @param key The task.
    @param result Its result.
    @param commitment For a match keccak256(abi_encode(id, verifier, keccak256(digests))), where digests are the trace
                      digests of its intervals, in the order drawn, as plain bytes. For a mismatch
                      keccak256(abi_encode(id, verifier, kind, interval, salt)).
    """
    task: Task = self._task_with(key, result, COMMITTED)
    self._check_deadline(task)
    self._check_published(result)
    drawn: records.Result = result
    if result.seed == empty(bytes32):
        drawn = self._drawn(task, key, result)
    position: uint256 = self._position(drawn.verifiers, msg.sender)
    self._seal(task.id, commitment)
    extcall stakes.lock(msg.sender, VERIFIER, key.terms.verifier_collateral, False, skip_contract_check=True)
    log Attested(id=task.id, verifier=msg.sender, position=position, commitment=commitment)
    task.attestations += 1
    if task.attestations == key.terms.verifiers:
        task = self._audited(task, key.terms, result.committed_at)
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
        self._refuse("state")
    self._check_result(task.id, result)
    if block.timestamp > result.committed_at + key.terms.patrol_for:
        self._refuse("patrol is over")
    self._check_published(result)
    if result.seed == empty(bytes32):
        self._refuse("not drawn")
    if msg.sender == task.solver:
        self._refuse("own task")
    if msg.sender in result.verifiers:
        self._refuse("drawn verifier")
    if task.accusations >= MAX_ACCUSATIONS:
        self._refuse("accusations")
    self._seal(task.id, commitment)
    role: uint256 = VERIFIER
    if staticcall stakes.is_active(msg.sender, WHISTLEBLOWER):
        role = WHISTLEBLOWER
    extcall stakes.lock(msg.sender, role, self._lock_of(role), True, skip_contract_check=True)
    self.accusing[task.id][msg.sender] = role
    task.accusations += 1
    self._store(task)
    log Accused(id=task.id, accuser=msg.sender, role=role, commitment=commitment)


@external
def reveal(
    key: records.Key,
    result: records.Result,
    position: uint256,
    digests: Bytes[MAX_DIGESTS],
    proofs: Bytes[MAX_PROOFS],
):
    """
    @notice Opens the trace digests of the intervals of one verifier, and so shows whether it had found the same. Pays
            everybody at once if nothing can be said any more, as `settle` does.
    @param key The task.
    @param result Its result.
    @param position The verifier's position among those drawn.
    @param digests The trace digests of its intervals, in the order drawn, 32 bytes each, secret until now.
    @param proofs For each interval k, in the same order, 32 bytes each: state root of checkpoint k, state root of checkpoint
                  k + 1, root of the row indices that lead from one to the other, and the siblings of leaf k + 1 of the
                  trajectory from the bottom upwards, `proof_depth` of them.
    """
    task: Task = self._task_with(key, result, AUDITED)
    if msg.sender != task.solver:
        self._refuse("not the solver")
    self._check_deadline(task)
    if position >= len(result.verifiers):
        self._refuse("position")
    verifier: address = result.verifiers[position]
    sealed: bytes32 = self.sealed[task.id][verifier]
    if sealed == empty(bytes32):
        self._refuse("not attested")
    if (task.revealed >> position) & 1 != 0:
        self._refuse("revealed")

    intervals: uint256 = lot._intervals(key.terms)
    depth: uint256 = lot._bit_length(intervals)
    n: uint256 = key.terms.audit_intervals
    if not (len(digests) == 32 * n and len(proofs) == 32 * n * (3 + depth)):
        self._refuse("length")
    picks: DynArray[uint256, MAX_AUDIT] = lot._drawn_intervals(key.terms, result.seed, position)
    at: uint256 = 0
    for t: uint256 in range(n, bound=MAX_AUDIT):
        leaf: uint256 = picks[t] + 1
        if leaf == intervals:
            if extract32(proofs, at + 32) != result.final_root:
                self._refuse("final root")
        node: bytes32 = sha256(
            concat(
                b"\x04",
                slice(proofs, at, 64),
                convert(convert(min(leaf * key.terms.interval, key.terms.steps), uint64), bytes8),
                extract32(proofs, at + 64),
                key.terms.program_root,
                sha256(concat(b"\x05", extract32(digests, 32 * t))),
            )
        )
        at += 96
        for _level: uint256 in range(depth, bound=MAX_DEPTH):
            left: bytes32 = node
            right: bytes32 = extract32(proofs, at)
            if leaf & 1 == 1:
                left = right
                right = node
            node = sha256(concat(b"\x01", left, right))
            leaf = leaf >> 1
            at += 32
        if node != result.root:
            self._refuse("proof")

    is_match: bool = sealed == keccak256(abi_encode(task.id, verifier, keccak256(digests)))
    task.revealed |= 1 << position
    if is_match:
        task.matched |= 1 << position
    log Revealed(id=task.id, verifier=verifier, position=position, matched=is_match)
    if task.games == 0 and self._is_undisputed(task, key.terms, result.committed_at):
        self._pay(task, key, result)
    else:
        self._store(task)


@external
def concede(key: records.Key, result: records.Result, interval: uint256):
    """
    @notice The solver admits that a fault of its machine spoilt one interval. It loses the work, pays the verifiers' fees
            and keeps the rest of its stake. Possible where the audit draws as many intervals as there are, so that this
            is no free option for a cheat (docs/economics.md); before its first move in a game, if nobody has named
            another interval, and once in FAULT_PERIOD.
    @param key The task.
    @param result Its result.
    @param interval The interval, counted from 0.
    """
    task: Task = self._task_with(key, result, AUDITED)
    if msg.sender != task.solver:
        self._refuse("not the solver")
    if not (task.games > 0 or block.timestamp <= task.deadline):
        self._refuse("expired")
    intervals: uint256 = lot._intervals(key.terms)
    if interval >= intervals:
        self._refuse("interval")
    if key.terms.verifiers * key.terms.audit_intervals < intervals:
        self._refuse("thin audit")
    if self.has_answered[task.id]:
        self._refuse("answered")
    charged: uint256 = self.charged[task.id]
    if not (charged == 0 or charged == interval + 1):
        self._refuse("another interval")
    if block.timestamp < self.faultless_until[msg.sender]:
        self._refuse("second fault")
    self.faultless_until[msg.sender] = block.timestamp + FAULT_PERIOD
    log Fault(id=task.id, solver=msg.sender, interval=interval)
    amount: uint256 = min(key.terms.fee * key.terms.verifiers, key.terms.collateral)
    fees: uint256 = self._compensate(task, key, result, amount // key.terms.verifiers, SEVERAL, empty(address))
    self._punish(task.id, task.solver, SOLVER, amount, empty(address), empty(address), fees)
    self._unlock(task.solver, SOLVER, key.terms.collateral - amount)
    task.solver = empty(address)
    self._refund(task, key, "fault")


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
    self._check_game()
    task: Task = self._task_with(key, result, AUDITED)
    self._check_deadline(task)
    if block.timestamp <= result.committed_at + key.terms.patrol_for:
        self._refuse("patrol")
    if interval >= lot._intervals(key.terms):
        self._refuse("interval")
    if self._is_sealed(task.id, key.terms):
        self._refuse("sealed")
    if task.games >= MAX_GAMES:
        self._refuse("games")
    if not self._is_finding(task.id, challenger, kind, interval, salt):
        self._refuse("finding")
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
    self._check_game()
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
    self._check_game()
    task: Task = self._task(self._task_id(key))
    if task.state == SETTLED or task.state == REFUNDED:
        return
    if not (task.state == AUDITED and task.games > 0):
        self._refuse("state")
    self._check_result(task.id, result)
    mark: uint256 = convert(self.sealed[task.id][challenger], uint256)
    if not (mark >= OPENED and mark < LEAST_SEAL):
        self._refuse("not disputed")
    task.games -= 1
    log Ruled(id=task.id, challenger=challenger, interval=mark - OPENED, upheld=upheld)
    if upheld:
        self.condemned_at[task.id] = block.timestamp
        self._forfeit(task, key, result, mark - OPENED, challenger, "ruled wrong")
    else:
        self.sealed[task.id][challenger] = convert(REJECTED, bytes32)
        self._store(task)


@external
def replace(key: records.Key, result: records.Result, mark: uint256):
    """
    @notice Publishes a sealed result, or puts the true one in the place of what was published. Only the jackpot may call
            this, which has looked at the task's result: first before the deadline of COMMITTED, and all windows begin anew;
            then in AUDITED, and findings can be opened as disputes.
    @param key The task.
    @param result Its result from now on.
    @param mark 0 to publish; else 1, and bit j + 1 if the verifier at position j drew the interval of a forced error.
    """
    self._check_jackpot()
    task: Task = self._task_in(key, AUDITED if mark > 0 else COMMITTED)
    self._check_deadline(task)
    if mark == 0:
        task.deadline = block.timestamp + key.terms.attest_for
    else:
        self.unsealed[task.id] = mark
        task.deadline = max(task.deadline, block.timestamp + key.terms.reveal_for)
    self.results[task.id] = self._hash(result)
    self._store(task)
    log Replaced(id=task.id, result=result, mark=mark)


@external
def vindicate(key: records.Key, account: address, finding: bytes32, position: uint256):
    """
    @notice Frees who had sealed what was right about a forced error, without a game; a drawn verifier has its fee. Only the
            jackpot may call this.
    @param key The task.
    @param account Who sealed it.
    @param finding What it had sealed.
    @param position Of a drawn verifier.
    """
    self._check_jackpot()
    task: Task = self._task_in(key, AUDITED)
    self._check_deadline(task)
    if self.sealed[task.id][account] != finding:
        self._refuse("finding")
    self.sealed[task.id][account] = convert(OPENED, bytes32)
    if self.accusing[task.id][account] != 0:
        task.accusations -= 1
    else:
        task.revealed |= 1 << position
        task.matched |= 1 << position
    self._store(task)
    log Vindicated(id=task.id, account=account)


@external
def settle(key: records.Key, result: records.Result):
    """
    @notice Ends a state. AUDITED: pays, as soon as the solver has revealed for every verifier that attested, all of them
            matched, the patrol is over and no accusation is left; else after the deadline, because what is sealed may still
            be opened. Any other: after its deadline. Whatever happened, at most three calls bring any task to its end; only
            games that are going on have to end first.
    @param key The task.
    @param result Its result; any before the commitment.
    """
    task: Task = self._task(self._task_id(key))
    if task.state >= COMMITTED and task.state <= AUDITED:
        self._check_result(task.id, result)
    reason: String[32] = ""
    is_silent: bool = False
    if task.state == AUDITED:
        if task.games != 0:
            self._refuse("disputed")
        if not self._is_undisputed(task, key.terms, result.committed_at):
            if block.timestamp <= task.deadline:
                self._refuse("reveal window")
            if self._ones(task.revealed) < task.attestations or self._is_sealed(task.id, key.terms):
                reason = "not revealed"
                is_silent = True
            elif task.attestations == 0:
                reason = "not attested"
        if len(reason) == 0:
            # who sealed something else and has not shown it to be wrong has found nothing
            self._pay(task, key, result)
            return
    else:
        if block.timestamp <= task.deadline:
            self._refuse("not expired")
        if task.state == COMMITTED:
            is_first: bool = task.deadline == result.committed_at + key.terms.attest_for
            if result.seed == empty(bytes32):
                reason = "not drawn"
            elif result.trajectory_size == 0:
                reason = "not published"
                is_silent = True
            elif task.attestations == 0 and is_first:
                # Others are drawn, once: a submitter whose own verifiers were drawn must not have the result for their
                # silence, and nobody is punished for not attesting to terms that it never agreed to.
                self._reanchored(task, key, result)
                task.deadline = block.timestamp + key.terms.attest_for
                self._store(task)
                return
            elif task.attestations > 0 or task.accusations > 0:
                self._store(self._audited(task, key.terms, result.committed_at))
                return
            else:
                reason = "not attested"
        elif task.state == ASSIGNED:
            reason = "not solved"
        elif task.state == OPEN:
            reason = "not accepted"
        else:
            self._refuse("state")
    if is_silent:
        self._forfeit(task, key, result, SEVERAL, empty(address), reason)
    else:
        self._refund(task, key, reason)


@external
def release(key: records.Key, account: address, kind: uint256, interval: uint256, salt: bytes32):
    """
    @notice Frees what an accusation has locked, when the task has ended; a part is burned if it was never opened though the
            result held. Also frees a verifier of a condemned task that had sealed neither a match nor what was opened, and
            pays its fee: it shows that it had sealed a finding. If it does not within 30 days, its lock is burned.
    @param key The task.
    @param account Whose lock.
    @param kind Of the sealed finding; any for an accusation.
    @param interval Of the sealed finding; any for an accusation.
    @param salt Of the sealed finding; any for an accusation.
    """
    id: bytes32 = self._task_id(key)
    state: uint256 = self._task(id).state
    if not (state == SETTLED or state == REFUNDED):
        self._refuse("state")
    role: uint256 = self.accusing[id][account]
    sealed: uint256 = convert(self.sealed[id][account], uint256)
    locked: uint256 = self._lock_of(role)
    lost: uint256 = 0
    if role != 0:
        self.accusing[id][account] = 0
        if state == SETTLED and sealed >= LEAST_SEAL:
            lost = locked * SILENCE // 100
    else:
        if not (self.condemned_at[id] != 0 and sealed >= LEAST_SEAL):
            self._refuse("nothing to release")
        role = VERIFIER
        locked = key.terms.verifier_collateral
        paid: address = account
        if not self._is_finding(id, account, kind, interval, salt):
            if block.timestamp <= self.condemned_at[id] + MAX_WINDOW:
                self._refuse("finding")
            lost = locked
            paid = key.submitter
        self._credit(id, paid, self._share(key.terms))
    self.sealed[id][account] = empty(bytes32)
    self._punish(id, account, role, lost, empty(address), empty(address), 0)
    self._unlock(account, role, locked - lost)


@external
def withdraw() -> uint256:
    """
    @notice Pays the caller all that it is owed.
    @return uint256 The amount paid.
    """
    amount: uint256 = self.owed[msg.sender]
    if amount == 0:
        self._refuse("nothing owed")
    self.owed[msg.sender] = 0
    if not extcall token.transfer(msg.sender, amount, default_return_value=True):
        self._refuse("transfer")
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
    return self._told(id)


@external
@view
def state(id: bytes32) -> uint256:
    """
    @notice The state of a task.
    @param id The task.
    @return uint256 Its number; DISPUTED for AUDITED while a game is going on.
    """
    return self._told(id).state


@external
@pure
def task_id(key: records.Key) -> bytes32:
    """
    @notice The id that a task has, or will have.
    @param key The task.
    @return bytes32 keccak256(abi_encode(key)).
    """
    return self._task_id(key)


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
def _told(id: bytes32) -> Task:
    """
    @dev Likewise, as it is told to others.
    @param id The task.
    @return Task Its parts; DISPUTED for AUDITED while a game is going on.
    """
    task: Task = self._task(id)
    if task.state == AUDITED and task.games > 0:
        task.state = DISPUTED
    return task


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
        self._refuse("state")
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
        self._refuse("result")


@internal
@view
def _check_game():
    """
    @dev Refuses everybody but the game.
    """
    if msg.sender != game:
        self._refuse("not the game")


@internal
@view
def _check_jackpot():
    """
    @dev Refuses everybody but the contract of forced errors.
    """
    if msg.sender != jackpot:
        self._refuse("not the jackpot")


@internal
@view
def _check_deadline(task: Task):
    """
    @dev Refuses actions after the deadline.
    @param task The task.
    """
    if block.timestamp > task.deadline:
        self._refuse("expired")


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
        self._refuse("too few verifiers")
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
    self._refuse("not a drawn verifier")
    return 0


@internal
def _seal(id: bytes32, commitment: bytes32):
    """
    @dev Keeps what the caller has sealed, once.
    @param id The task.
    @param commitment The seal: a hash, hence not a small number, which stands for an opened one.
    """
    if self.sealed[id][msg.sender] != empty(bytes32):
        self._refuse("attested")
    if convert(commitment, uint256) < LEAST_SEAL:
        self._refuse("commitment")
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
    @dev The hash of a block, while the chain remembers it; refused while it is not over.
    @param anchor The block's number.
    @return bytes32 Its hash, zero if it is forgotten.
    """
    if block.number <= anchor:
        self._refuse("too early")
    if block.number - anchor > HASHED_BLOCKS:
        return empty(bytes32)
    return blockhash(anchor)


@internal
def _drawn(task: Task, key: records.Key, result: records.Result) -> records.Result:
    """
    @dev Walks the verifiers' list in the order of a permutation and takes the first that are not concerned. The list's
         length is that of the anchor block, and later members are passed over: once the randomness is known, joining
         cannot change the outcome. So are those who have not enough free stake to attest. See docs/decisions/0001-draw.md.
    @param task The task.
    @param key The task's key.
    @param result Its result before the draw.
    @return Result Its result after the draw.
    """
    randomness: bytes32 = self._anchor_hash(result.anchor)
    if randomness == empty(bytes32):
        self._refuse("too late")
    drawn: records.Result = result
    drawn.seed = keccak256(abi_encode(randomness, task.id, result.root))
    order: bytes32 = keccak256(abi_encode(drawn.seed, "verifiers"))
    half: uint256 = lot._half_width(result.seats)
    for i: uint256 in range(MAX_WALK):
        if i >= result.seats:
            break
        seat: uint256 = lot._permute(i, result.seats, half, order)
        account: address = staticcall stakes.seated(
            VERIFIER, seat, result.anchor, key.terms.verifier_collateral
        )
        if account == empty(address) or account == task.solver or account == key.submitter:
            continue
        if task.accusations > 0 and self.accusing[task.id][account] != 0:
            continue  # in a second draw: it has sealed already
        drawn.verifiers.append(account)
        if len(drawn.verifiers) == key.terms.verifiers:
            self.results[task.id] = self._hash(drawn)
            log Drawn(id=task.id, verifiers=drawn.verifiers, seed=drawn.seed)
            return drawn
    self._refuse("too few verifiers")
    return drawn


@internal
def _audited(task: Task, terms: records.Terms, committed_at: uint256) -> Task:
    """
    @dev Ends the attestations and opens the window for reveals and disputes, which is whole after the patrol.
    @param task The task.
    @param terms Its terms.
    @param committed_at When the solver committed.
    @return Task The parts, to be stored.
    """
    audited: Task = task
    audited.state = AUDITED
    audited.deadline = max(block.timestamp, committed_at + terms.patrol_for) + terms.reveal_for
    log Audited(id=task.id, attestations=audited.attestations, deadline=audited.deadline)
    return audited


@internal
def _reanchored(task: Task, key: records.Key, result: records.Result) -> records.Result:
    """
    @dev Prepares a new draw.
    @param task The task.
    @param key The task's key.
    @param result Its result.
    @return Result Its result from now on, not drawn.
    """
    moved: records.Result = result
    moved.anchor = block.number
    moved.seats = self._seats(key, task.solver)
    moved.seed = empty(bytes32)
    moved.verifiers = []
    self.results[task.id] = self._hash(moved)
    log Reanchored(id=task.id, anchor=moved.anchor, seats=moved.seats)
    return moved


@internal
@view
def _is_undisputed(task: Task, terms: records.Terms, committed_at: uint256) -> bool:
    """
    @dev Whether everybody that attested matched, and nobody else has accused or can accuse any more.
    @param task The task.
    @param terms Its terms.
    @param committed_at When its result was committed to.
    @return bool True if there is nothing to wait for.
    """
    if task.matched == 0 or task.accusations != 0 or self._ones(task.matched) != task.attestations:
        return False
    if self._is_sealed(task.id, terms):
        return False
    return block.timestamp > committed_at + terms.patrol_for


@internal
@view
def _is_sealed(id: bytes32, terms: records.Terms) -> bool:
    """
    @dev Whether the solver still has to say if it had to err.
    @param id The task.
    @param terms Its terms.
    @return bool False for all tasks without forced errors.
    """
    return terms.forced > 0 and self.unsealed[id] == 0


@internal
@pure
def _check_published(result: records.Result):
    """
    @dev Refuses a result that nobody can see yet.
    @param result The result.
    """
    if result.trajectory_size == 0:
        self._refuse("not published")


@internal
def _pay(task: Task, key: records.Key, result: records.Result):
    """
    @dev Pays solver and matched verifiers, names the lazy ones, and gives the rest back.
    @param task The task.
    @param key The task's key.
    @param result Its result.
    """
    self._end(task, SETTLED)
    self._unlock(task.solver, SOLVER, key.terms.collateral)
    self.owed[task.solver] += key.terms.price
    rest: uint256 = key.terms.fee * key.terms.verifiers
    locked: uint256 = key.terms.verifier_collateral
    error: uint256 = 0
    if key.terms.forced > 0:
        error = self.unsealed[task.id] >> 1
    position: uint256 = 0
    for verifier: address in result.verifiers:
        if (task.revealed >> position) & 1 == 1:
            lost: uint256 = 0
            is_closed: bool = convert(self.sealed[task.id][verifier], uint256) >= LEAST_SEAL
            if (task.matched >> position) & 1 == 0:
                log LazyVerifier(id=task.id, verifier=verifier)
                if is_closed:
                    lost = locked * SILENCE // 100
            elif is_closed and (error >> position) & 1 == 1:
                lost = locked  # it swore to an interval that it cannot have replayed
            else:
                rest -= key.terms.fee
                self.owed[verifier] += key.terms.fee
            self._punish(task.id, verifier, VERIFIER, lost, empty(address), empty(address), 0)
            self.sealed[task.id][verifier] = empty(bytes32)
            self._unlock(verifier, VERIFIER, locked - lost)
        position += 1
    if rest > 0:
        self.owed[key.submitter] += rest
    log Settled(
        id=task.id,
        solver=task.solver,
        final_root=result.final_root,
        paid=key.terms.price,
        fees=key.terms.fee * key.terms.verifiers - rest,
        refunded=rest,
    )


@internal
def _refund(task: Task, key: records.Key, reason: String[32]):
    """
    @dev Gives the whole escrow back, and frees what the solver has locked.
    @param task The task; no solver if its collateral is gone.
    @param key The task's key.
    @param reason Why, for people.
    """
    self._end(task, REFUNDED)
    if task.solver != empty(address):
        self._unlock(task.solver, SOLVER, key.terms.collateral)
    amount: uint256 = self._escrow_of(key.terms)
    self.owed[key.submitter] += amount
    log Refunded(id=task.id, submitter=key.submitter, amount=amount, reason=reason)


@internal
def _forfeit(
    task: Task,
    key: records.Key,
    result: records.Result,
    interval: uint256,
    challenger: address,
    reason: String[32],
):
    """
    @dev Ends a task whose solver loses its collateral.
    @param task The task.
    @param key The task's key.
    @param result Its result.
    @param interval Where it is proven to be wrong; SEVERAL if the solver was silent.
    @param challenger Who has shown it, or nobody.
    @param reason Why, for people.
    """
    fees: uint256 = self._compensate(task, key, result, self._share(key.terms), interval, challenger)
    self._punish(task.id, task.solver, SOLVER, key.terms.collateral, challenger, key.submitter, fees)
    ended: Task = task
    ended.solver = empty(address)  # nothing is left to be unlocked
    self._refund(ended, key, reason)


@internal
@pure
def _share(terms: records.Terms) -> uint256:
    """
    @dev What a verifier of a condemned task gets out of the solver's collateral, before the rest is burned.
    @param terms The terms.
    @return uint256 Its fee, as far as that part reaches for all.
    """
    taken: uint256 = terms.collateral * REWARD // 100 + terms.collateral * COMPENSATION // 100
    return min(terms.fee, (terms.collateral - taken) // terms.verifiers)


@internal
def _compensate(
    task: Task,
    key: records.Key,
    result: records.Result,
    share: uint256,
    interval: uint256,
    challenger: address,
) -> uint256:
    """
    @dev Frees the verifiers of a task that is not paid, and gives them a share of what the solver loses. Who had matched on
         the proven interval loses its lock. Who had sealed something else, or was to replay that interval and was not
         revealed, may have sealed a finding or sworn to what is wrong: its share is kept until `release` shows which.
    @param task The task.
    @param key The task's key.
    @param result Its result.
    @param share What each gets.
    @param interval The proven interval; any other number if there is none.
    @param challenger Who has proven it.
    @return uint256 What they get together, with what is kept.
    """
    fees: uint256 = 0
    locked: uint256 = key.terms.verifier_collateral
    for position: uint256 in range(len(result.verifiers), bound=MAX_VERIFIERS):
        verifier: address = result.verifiers[position]
        sealed: uint256 = convert(self.sealed[task.id][verifier], uint256)
        if sealed == 0:
            continue
        if sealed >= LEAST_SEAL and interval != SEVERAL:
            has_matched: bool = (task.matched >> position) & 1 == 1
            drew: bool = interval in lot._drawn_intervals(key.terms, result.seed, position)
            if has_matched and drew:
                self.sealed[task.id][verifier] = empty(bytes32)
                self._punish(task.id, verifier, VERIFIER, locked, challenger, empty(address), 0)
                continue
            if not has_matched and (drew or (task.revealed >> position) & 1 == 1):
                fees += share
                continue
        self.sealed[task.id][verifier] = empty(bytes32)
        self._unlock(verifier, VERIFIER, locked)
        if sealed != REJECTED and share > 0:
            fees += share
            self._credit(task.id, verifier, share)
    return fees


@internal
def _unlock(account: address, role: uint256, amount: uint256):
    """
    @dev Frees a part of a stake.
    @param account Whose stake.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @param amount How much.
    """
    if amount > 0:
        extcall stakes.unlock(account, role, amount, skip_contract_check=True)


@internal
def _punish(
    id: bytes32,
    account: address,
    role: uint256,
    amount: uint256,
    challenger: address,
    submitter: address,
    fees: uint256,
):
    """
    @dev Takes what was locked: a share each to challenger and submitter, where there are such, a part to verifiers, who are
         credited by the caller; the rest is burned.
    @param id The task.
    @param account Who is punished.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @param amount How much it loses.
    @param challenger Who has shown it, or nobody.
    @param submitter Who is compensated, or nobody.
    @param fees What of it is for verifiers.
    """
    if amount == 0:
        return
    reward: uint256 = 0
    compensation: uint256 = 0
    if challenger != empty(address):
        reward = amount * REWARD // 100
    if submitter != empty(address):
        compensation = amount * COMPENSATION // 100
    extcall stakes.slash(account, role, amount, reward + compensation + fees)
    log Condemned(
        id=id, account=account, role=role, amount=amount, reward=reward, compensation=compensation, fees=fees
    )
    if reward > 0:
        self._credit(id, challenger, reward)
    if compensation > 0:
        self._credit(id, submitter, compensation)


@internal
def _end(task: Task, state: uint256):
    """
    @dev Leaves of a task what will always be asked for, and clears the rest.
    @param task The task.
    @param state SETTLED or REFUNDED.
    """
    solver: uint256 = self.words[task.id] >> 96
    self.words[task.id] = state | (solver << 96)
    if self.results[task.id] != empty(bytes32):
        self.results[task.id] = empty(bytes32)


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
        self._refuse("transfer")
    if staticcall token.balanceOf(self) != before + amount:
        self._refuse("fee on transfer")


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
    full: String[40] = concat("market: ", reason)
    raise full
