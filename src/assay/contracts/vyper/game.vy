# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Game
@license Apache-2.0
@author The assay contributors
@notice Disputes about a solver's result (docs/dispute.md). A challenger walks from the claim that it disbelieves to one that
        contradicts a rule, and the solver opens each part on the way. Any number of games run at once, independent of each
        other. Nobody owns the contract, and no game can be stopped from ending.
@dev Of a game only keccak256(abi_encode(Game)) is stored; every move brings the record and emits the next one. A game's id is
     the finding that the challenger had sealed, so each finding is played once.
"""

from ethereum.ercs import IERC20

import board
import merkle
import records


interface Market:
    def dispute(
        key: records.Key,
        result: records.Result,
        challenger: address,
        kind: uint256,
        interval: uint256,
        salt: bytes32,
    ) -> address: nonpayable
    def answered(id: bytes32): nonpayable
    def rule(key: records.Key, result: records.Result, challenger: address, upheld: bool): nonpayable
    def state(id: bytes32) -> uint256: view


interface Trajectory:
    def leaf(
        key: records.Key, result: records.Result, work: records.Work, index: uint256, opening: board.Opening
    ) -> bool: view


interface Evidence:
    def question(
        game: board.Game, kinds: uint256, entry: Bytes[9232], proof: DynArray[bytes32, 64]
    ) -> (bytes32, uint256, uint256): view
    def point(
        game: board.Game, chunk: Bytes[1024], at: uint256, entry: Bytes[9232]
    ) -> (uint256, bytes32, uint256, uint256, uint256): view


# @notice A challenger accuses a solver.
event Opened:
    id: indexed(bytes32)
    task: indexed(bytes32)
    challenger: indexed(address)
    solver: address
    kind: uint256
    interval: uint256


# @notice A move was made, and this is the record now.
event Moved:
    id: indexed(bytes32)
    task: indexed(bytes32)
    game: board.Game


# @notice The solver has revealed hashes or accumulators, from which the challenger chooses.
event Revealed:
    id: indexed(bytes32)
    words: DynArray[bytes32, 252]


# @notice The solver has shown these bytes.
event Shown:
    id: indexed(bytes32)
    data: Bytes[1024]


# @notice A game is over. `paid` are the challenger's bonds, `burned` what was destroyed of them.
event Ended:
    id: indexed(bytes32)
    task: indexed(bytes32)
    challenger: indexed(address)
    upheld: bool
    reason: String[32]
    paid: uint256
    burned: uint256


# @notice `account` was paid all that it was owed.
event Withdrawn:
    account: indexed(address)
    amount: uint256


# @dev Stands in the place of a record once a game is over.
ENDED: constant(bytes32) = 0x0000000000000000000000000000000000000000000000000000000000000001

# @dev Where bonds are burned.
BURN: constant(address) = 0x000000000000000000000000000000000000dEaD

# @dev The market's state of a task that was taken from the solver.
REFUNDED: constant(uint256) = 6

# @dev Most words of a list: 63 accumulators of four words.
MAX_WORDS: constant(uint256) = 252

LOW_32_BITS: constant(uint256) = 2 ** 32 - 1

# @dev Terms of a fold in lanes come in rows of sixteen.
LANES: constant(uint256) = 16

# @dev Kinds of values, as the entries number them.
STATE_VALUE: constant(uint256) = 0
BATCH_VALUE: constant(uint256) = 1
KERNEL_VALUE: constant(uint256) = 5

# @dev Larger amounts and times are refused, so that no sum below can overflow.
MAX_AMOUNT: constant(uint256) = 2 ** 128
MAX_SECONDS: constant(uint256) = 30 * 86400


# @notice The currency of bonds.
token: public(immutable(IERC20))

# @notice Whose tasks are disputed here.
market: public(immutable(Market))

# @notice Checks what is shown of a step.
evidence: public(immutable(Evidence))

# @notice Checks what is shown of a trajectory.
trajectory: public(immutable(Trajectory))

# @notice keccak256 of the record of each game; 1 once it is over.
games: public(HashMap[bytes32, bytes32])

# @notice What an address may withdraw.
owed: public(HashMap[address, uint256])


@deploy
def __init__(token_: address, market_: address, evidence_: address, trajectory_: address):
    """
    @notice Fixes the currency and the other contracts for good.
    @param token_ The ERC-20 in which bonds are put down.
    @param market_ The market.
    @param evidence_ The contract that checks what is shown of a step.
    @param trajectory_ The contract that checks what is shown of a trajectory.
    """
    assert token_.is_contract, "game: token"
    assert market_.is_contract, "game: market"
    assert evidence_.is_contract, "game: evidence"
    assert trajectory_.is_contract, "game: trajectory"
    token = IERC20(token_)
    market = Market(market_)
    evidence = Evidence(evidence_)
    trajectory = Trajectory(trajectory_)


@external
def open(
    kind: uint256,
    key: records.Key,
    result: records.Result,
    work: records.Work,
    interval: uint256,
    salt: bytes32,
    shape: uint256,
    entries: bytes32,
    first: board.Opening,
    last: board.Opening,
) -> bytes32:
    """
    @notice Accuses a solver of a wrong interval, of other rows than the sampler's, or of a false trace. If the leaves of the
            trajectory contradict the task already, the game ends at once, upheld and without a bond.
    @param kind INTERVAL, BATCHES or TRACE.
    @param key Names the task.
    @param result What the solver swears to.
    @param work What is to be computed.
    @param interval Which interval, counted from 0.
    @param salt The word that hid the finding.
    @param shape The counts of the code root: V 4, outputs 4, metrics 4, states 4, row bytes 8.
    @param entries Root over the program's entries.
    @param first Leaf `interval` of the trajectory.
    @param last The leaf after it.
    @return bytes32 The game's id.
    """
    assert kind == board.INTERVAL or kind == board.BATCHES or kind == board.TRACE, "game: kind"
    id: bytes32 = empty(bytes32)
    game: board.Game = empty(board.Game)
    id, game = self._accuse(kind, key, result, work, interval, salt)
    self._check_code(work, shape, entries)
    game.lo = interval * key.terms.interval
    game.hi = min(game.lo + key.terms.interval, key.terms.steps)
    wrong: bool = staticcall trajectory.leaf(key, result, work, interval, first)
    wrong = staticcall trajectory.leaf(key, result, work, interval + 1, last) or wrong
    if wrong or last.prev_root != first.state_root:
        self._end(id, game, key, result, True, "leaf", game.solver)
        return id
    game.shape = shape
    game.entries = entries
    game.low = first.state_root
    game.high = last.state_root
    game.width = 1
    if kind == board.INTERVAL:
        game = self._enter_steps(game)
    elif kind == board.BATCHES:
        game.size = 8 * work.batch_size
        if game.hi - game.lo > 1:
            game = self._enter_tree(game, board.DRAWS, last.batches, game.hi - game.lo)
        else:
            game.step = game.lo
            game = self._enter_tree(game, board.ROWS, last.batches, self._chunks(game.size))
    else:
        game.claim = last.trace
        game = self._enter_tree(game, board.PRINTS, empty(bytes32), game.hi - game.lo)
    self._begin(id, game)
    return id


@external
def open_leaf(
    key: records.Key, result: records.Result, work: records.Work, interval: uint256, salt: bytes32
) -> bytes32:
    """
    @notice Demands the two leaves of an interval, because the trajectory's blob is nowhere to be had or is malformed.
    @param key Names the task.
    @param result What the solver swears to.
    @param work What is to be computed.
    @param interval Which interval, counted from 0.
    @param salt The word that hid the finding.
    @return bytes32 The game's id.
    """
    id: bytes32 = empty(bytes32)
    game: board.Game = empty(board.Game)
    id, game = self._accuse(board.LEAF, key, result, work, interval, salt)
    game.claim = keccak256(abi_encode(result))
    game.level = board.OPENING
    game.paid += game.bond
    self._begin(id, game)
    return id


@external
def open_data(
    key: records.Key,
    result: records.Result,
    work: records.Work,
    interval: uint256,
    index: uint256,
    salt: bytes32,
    shape: uint256,
    entries: bytes32,
    leaf: board.Opening,
    number: uint256,
    entry: Bytes[9232],
    proof: DynArray[bytes32, 64],
    chunk: uint256,
) -> bytes32:
    """
    @notice Demands a KiB of a checkpoint, whose blob is nowhere to be had or is malformed.
    @param key Names the task.
    @param result What the solver swears to.
    @param work What is to be computed.
    @param interval Which interval, counted from 0.
    @param index Which checkpoint: `interval`, or the one after it.
    @param salt The word that hid the finding.
    @param shape The counts of the code root.
    @param entries Root over the program's entries.
    @param leaf Leaf `index` of the trajectory.
    @param number Number of the value that is the tensor at the beginning of a step.
    @param entry Its entry.
    @param proof Of the entry.
    @param chunk Which KiB of the tensor.
    @return bytes32 The game's id.
    """
    id: bytes32 = empty(bytes32)
    game: board.Game = empty(board.Game)
    id, game = self._accuse(board.DATA, key, result, work, interval, salt)
    self._check_code(work, shape, entries)
    assert index == interval or index == interval + 1, "game: checkpoint"
    game.mark = index
    if staticcall trajectory.leaf(key, result, work, index, leaf):
        self._end(id, game, key, result, True, "leaf", game.solver)
        return id
    game.shape = shape
    game.entries = entries
    game.claim = leaf.state_root
    game.value = number
    game.entry, game.size, game.item = staticcall evidence.question(game, 1 << STATE_VALUE, entry, proof)
    game = self._enter_tree(game, board.SHOWING, empty(bytes32), self._chunks(game.size))
    assert chunk < game.count, "game: chunk"
    game.height = 0
    game.index = chunk
    self._begin(id, game)
    return id


@external
def divide(id: bytes32, game: board.Game, words: DynArray[bytes32, MAX_WORDS]):
    """
    @notice The solver states what it has at the cuts of the span in doubt.
    @param id The game.
    @param game Its record.
    @param words State roots, or the words of accumulators, one cut after the other.
    """
    self._check_turn(id, game, board.SOLVER)
    assert game.level == board.STEPS or game.level == board.FOLD, "game: level"
    assert len(words) == self._cuts(game) * game.width, "game: length"
    g: board.Game = game
    g.revealed = keccak256(abi_encode(words))
    log Revealed(id=id, words=words)
    self._pass(id, g)


@external
def expand(id: bytes32, game: board.Game, children: DynArray[bytes32, merkle.MAX_WAYS]):
    """
    @notice The solver opens the node in doubt. Where its root was not stated before, this states it. Padding is zero.
    @param id The game.
    @param game Its record.
    @param children The hashes log2(ways) levels below, or those of the leaves.
    """
    self._check_turn(id, game, board.SOLVER)
    g: board.Game = game
    assert self._is_tree(g.level), "game: level"
    top: bool = g.height == merkle.depth(g.count)
    states: bool = top and (g.level == board.VALUES or g.level == board.STATE or g.level == board.PRINTS)
    assert g.height > 0 or states, "game: leaf"
    levels: uint256 = min(merkle.depth(g.ways), g.height)
    assert len(children) == 1 << levels, "game: length"
    node: bytes32 = merkle.join(children)
    if states:
        if g.level == board.VALUES:
            g.values = node
        elif g.level == board.STATE:
            count: bytes4 = convert(convert(g.count, uint32), bytes4)
            assert sha256(concat(b"\x03", count, node)) == g.after, "game: root"
        else:
            assert sha256(concat(b"\x05", node)) == g.claim, "game: root"
        g.node = node
    assert node == g.node, "game: root"

    below: uint256 = g.height - levels
    first: uint256 = g.index << levels
    used: uint256 = ((g.count - 1) >> below) + 1 - first
    if used < len(children):
        padding: bytes32 = merkle.padding(below)
        for i: uint256 in range(used, len(children), bound=merkle.MAX_WAYS):
            assert children[i] == padding, "game: padding"
    g.revealed = keccak256(abi_encode(children))
    log Revealed(id=id, words=children)
    self._pass(id, g)


@external
def show(id: bytes32, game: board.Game, chunk: Bytes[1024]):
    """
    @notice The solver shows the KiB in doubt.
    @param id The game.
    @param game Its record.
    @param chunk Its bytes: 1,024, or what is left at the end.
    """
    self._check_turn(id, game, board.SOLVER)
    assert (game.level == board.TENSOR or game.level == board.ROWS) and game.height == 0, "game: level"
    assert len(chunk) == min(1024, game.size - 1024 * game.index), "game: length"
    assert sha256(concat(b"\x00", chunk)) == game.node, "game: root"
    log Shown(id=id, data=chunk)
    self._pass(id, game)


@external
def choose(
    id: bytes32,
    game: board.Game,
    words: DynArray[bytes32, MAX_WORDS],
    part: uint256,
    entry: Bytes[9232],
    proof: DynArray[bytes32, 64],
):
    """
    @notice The challenger names the part that it disbelieves.
    @param id The game.
    @param game Its record.
    @param words What the solver has revealed.
    @param part Which part, counted from 0.
    @param entry Empty, except for the last choice among values where the value is a kernel's or a batch's: its entry, which
                 leads on to the value's bytes.
    @param proof Of the entry.
    """
    self._check_turn(id, game, board.CHALLENGER)
    assert game.revealed != empty(bytes32), "game: nothing revealed"
    assert game.revealed == keccak256(abi_encode(words)), "game: words"
    g: board.Game = game
    g.revealed = empty(bytes32)
    if g.level == board.STEPS or g.level == board.FOLD:
        cuts: uint256 = self._cuts(game)
        assert part <= cuts, "game: part"
        if part > 0:
            g.lo = self._cut(game, part)
            g.low = self._claimed(game, words, part - 1)
        if part < cuts:
            g.hi = self._cut(game, part + 1)
            g.high = self._claimed(game, words, part)
        g = self._narrow(g)
    else:
        assert part < len(words), "game: part"
        g.node = words[part]
        g = self._descend(g, merkle.depth(len(words)), part)
    if (game.level == board.VALUES or game.level == board.STATE) and g.height == 0:
        if game.level == board.VALUES and len(entry) > 0:
            g.value = g.index
            kinds: uint256 = (1 << BATCH_VALUE) | (1 << KERNEL_VALUE)
            g.entry, g.size, g.item = staticcall evidence.question(g, kinds, entry, proof)
            g = self._enter_tree(g, board.TENSOR, g.node, self._chunks(g.size))
            self._pass(id, g)
        else:
            self._stay(id, g)
    elif g.level == board.PROOF:
        self._stay(id, g)
    else:
        self._pass(id, g)
    self._pull(g.paid - game.paid)


@external
def accept(id: bytes32, game: board.Game):
    """
    @notice The challenger grants all values of the step and doubts the state after it instead.
    @param id The game.
    @param game Its record, when the solver has just stated the values root.
    """
    self._check_turn(id, game, board.CHALLENGER)
    assert game.level == board.VALUES and game.revealed != empty(bytes32), "game: level"
    assert game.height == merkle.depth(game.count), "game: level"
    g: board.Game = game
    g.revealed = empty(bytes32)
    g.level = board.STATE
    g.count = self._states(g.shape)
    g.height = merkle.depth(g.count)
    self._pass(id, g)


@external
def point(id: bytes32, game: board.Game, chunk: Bytes[1024], at: uint256, entry: Bytes[9232]):
    """
    @notice The challenger names the element that it disbelieves.
    @param id The game.
    @param game Its record.
    @param chunk The KiB that the solver has shown.
    @param at Which of its elements.
    @param entry The entry of the kernel that makes the value.
    """
    self._check_turn(id, game, board.CHALLENGER)
    assert game.level == board.TENSOR and game.height == 0, "game: level"
    g: board.Game = game
    g.element, g.high, g.terms, g.piece, g.width = staticcall evidence.point(game, chunk, at, entry)
    g.low = empty(bytes32)
    g.lo = 0
    g.hi = g.terms
    if g.hi - g.lo <= g.piece:
        g.level = board.PROOF
        self._stay(id, g)
    else:
        g.level = board.FOLD
        g.paid += g.bond
        self._pass(id, g)
    self._pull(g.paid - game.paid)


@external
def conclude(
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    by: address,
    upheld: bool,
    reason: String[32],
):
    """
    @notice Ends a game with what a contract that checks evidence has found: a contradiction that the challenger has shown
            in its turn, or what was demanded and is shown now, by anybody.
    @param id The game.
    @param game Its record.
    @param key Names the task.
    @param result What the solver swears to.
    @param by Who has shown it.
    @param upheld Whether the challenger is right.
    @param reason What decided.
    """
    assert msg.sender == evidence.address or msg.sender == trajectory.address, "game: not evidence"
    self._check_record(id, game)
    assert block.timestamp <= game.deadline, "game: too late"
    if game.level == board.OPENING or game.level == board.SHOWING:
        self._end(id, game, key, result, upheld, reason, by)
        return
    assert upheld and game.turn == board.CHALLENGER, "game: turn"
    assert by == game.challenger, "game: not yours"
    self._end(id, game, key, result, True, reason, by)


@external
def expire(id: bytes32, game: board.Game, key: records.Key, result: records.Result):
    """
    @notice Ends a game whose clock has run out: who had to move has lost.
    @param id The game.
    @param game Its record.
    @param key Names the task.
    @param result What the solver swears to.
    """
    self._check_record(id, game)
    assert block.timestamp > game.deadline, "game: not expired"
    self._end(id, game, key, result, game.turn == board.SOLVER, "silence", game.solver)


@external
def moot(id: bytes32, game: board.Game):
    """
    @notice Ends a game about a task that was taken from the solver meanwhile: the challenger has its bonds back.
    @param id The game.
    @param game Its record.
    """
    self._check_record(id, game)
    assert self._is_moot(game), "game: not moot"
    self._void(id, game)


@external
def withdraw(account: address) -> uint256:
    """
    @notice Pays an account all that it is owed; anybody may push this. What is owed to BURN is destroyed so.
    @param account Whom to pay.
    @return uint256 The amount paid.
    """
    amount: uint256 = self.owed[account]
    assert amount > 0, "game: nothing owed"
    self.owed[account] = 0
    log Withdrawn(account=account, amount=amount)
    assert extcall token.transfer(account, amount, default_return_value=True), "game: transfer"
    return amount


@internal
def _accuse(
    kind: uint256,
    key: records.Key,
    result: records.Result,
    work: records.Work,
    interval: uint256,
    salt: bytes32,
) -> (bytes32, board.Game):
    """
    @dev Begins a game by the market's leave.
    @param kind What it is about.
    @param key Names the task.
    @param result What the solver swears to.
    @param work What is to be computed.
    @param interval What the challenger's finding names.
    @param salt The word that hid it.
    @return (bytes32, Game) Its id, and a record without a level.
    """
    assert key.terms.work == keccak256(abi_encode(work)), "game: work"
    assert work.ways >= 2 and work.ways <= 64 and work.ways & (work.ways - 1) == 0, "game: ways"
    assert work.clock <= MAX_SECONDS and work.extension >= 1 and work.extension <= MAX_SECONDS, "game: clock"
    assert work.bond < MAX_AMOUNT and work.batch_size < MAX_AMOUNT, "game: amount"
    assert interval < (key.terms.steps + key.terms.interval - 1) // key.terms.interval, "game: interval"
    task: bytes32 = keccak256(abi_encode(key))
    id: bytes32 = keccak256(abi_encode(task, msg.sender, kind, interval, salt))
    assert self.games[id] == empty(bytes32), "game: already played"
    game: board.Game = empty(board.Game)
    game.task = task
    game.work = key.terms.work
    game.challenger = msg.sender
    game.kind = kind
    game.ways = work.ways
    game.extension = work.extension
    game.bond = work.bond
    game.solver_left = work.clock
    game.challenger_left = work.clock
    game.interval = interval
    game.solver = extcall market.dispute(key, result, msg.sender, kind, interval, salt)
    log Opened(id=id, task=task, challenger=msg.sender, solver=game.solver, kind=kind, interval=interval)
    return id, game


@internal
def _begin(id: bytes32, game: board.Game):
    """
    @dev The solver's first turn.
    @param id The game.
    @param game Its record.
    """
    g: board.Game = game
    g.turn = board.SOLVER
    g.deadline = block.timestamp + max(g.solver_left, g.extension)
    self._keep(id, g)
    self._pull(g.paid)


@internal
def _pass(id: bytes32, game: board.Game):
    """
    @dev Stops the clock of who has moved and starts the other's.
    @param id The game.
    @param game Its record.
    """
    g: board.Game = game
    g.moves += 1
    if g.turn == board.SOLVER:
        g.solver_left = self._left(g.solver_left, g)
        g.turn = board.CHALLENGER
        g.deadline = block.timestamp + max(g.challenger_left, g.extension)
    else:
        g.challenger_left = self._left(g.challenger_left, g)
        g.turn = board.SOLVER
        g.deadline = block.timestamp + max(g.solver_left, g.extension)
    self._keep(id, g)
    if g.moves == 1:
        extcall market.answered(g.task)


@internal
def _stay(id: bytes32, game: board.Game):
    """
    @dev Stores a record after a move that does not pass the turn: what has to follow is the challenger's, who has at least
         `extension` seconds for this move, too.
    @param id The game.
    @param game Its record.
    """
    g: board.Game = game
    g.moves += 1
    g.challenger_left = self._left(g.challenger_left, g)
    g.deadline = block.timestamp + max(g.challenger_left, g.extension)
    self._keep(id, g)


@internal
@view
def _left(clock: uint256, game: board.Game) -> uint256:
    """
    @dev What a move leaves of a clock: it began max(clock, extension) seconds before the deadline.
    @param clock Seconds when the turn began.
    @param game The record.
    @return uint256 Seconds now.
    """
    spent: uint256 = block.timestamp + max(clock, game.extension) - game.deadline
    return clock - min(clock, spent)


@internal
def _keep(id: bytes32, game: board.Game):
    """
    @dev Stores a record.
    @param id The game.
    @param game The record.
    """
    self.games[id] = keccak256(abi_encode(game))
    log Moved(id=id, task=game.task, game=game)


@internal
def _end(
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    upheld: bool,
    reason: String[32],
    other: address,
):
    """
    @dev The ruling: bonds are returned, or burned but for a quarter; the market does the rest.
    @param id The game.
    @param game Its record.
    @param key Names the task.
    @param result What the solver swears to.
    @param upheld Whether the challenger is right.
    @param reason What decided.
    @param other Who has the quarter: the solver, or who has shown what was demanded.
    """
    if self._is_moot(game):
        self._void(id, game)
        return
    self.games[id] = ENDED
    burned: uint256 = 0
    if upheld:
        self.owed[game.challenger] += game.paid
    else:
        quarter: uint256 = game.paid // 4
        burned = game.paid - quarter
        self.owed[BURN] += burned
        self.owed[other] += quarter
    log Ended(
        id=id,
        task=game.task,
        challenger=game.challenger,
        upheld=upheld,
        reason=reason,
        paid=game.paid,
        burned=burned,
    )
    extcall market.rule(key, result, game.challenger, upheld)


@internal
@view
def _is_moot(game: board.Game) -> bool:
    """
    @dev Whether there is nothing left to quarrel about.
    @param game The record.
    @return bool Whether the task was taken from the solver.
    """
    return staticcall market.state(game.task) == REFUNDED


@internal
def _void(id: bytes32, game: board.Game):
    """
    @dev Ends a game about such a task, whoever would have won it: the challenger has its bonds back.
    @param id The game.
    @param game Its record.
    """
    self.games[id] = ENDED
    self.owed[game.challenger] += game.paid
    log Ended(
        id=id,
        task=game.task,
        challenger=game.challenger,
        upheld=False,
        reason="moot",
        paid=game.paid,
        burned=0,
    )


@internal
def _pull(amount: uint256):
    """
    @dev Takes a bond from the challenger, who is the caller.
    @param amount How much; nothing is done for 0.
    """
    if amount > 0:
        before: uint256 = staticcall token.balanceOf(self)
        assert extcall token.transferFrom(msg.sender, self, amount, default_return_value=True), "game: transfer"
        assert staticcall token.balanceOf(self) == before + amount, "game: fee on transfer"


@internal
@view
def _check_record(id: bytes32, game: board.Game):
    """
    @dev Refuses another record than the game's.
    @param id The game.
    @param game The record.
    """
    assert self.games[id] == keccak256(abi_encode(game)), "game: record"


@internal
@view
def _check_turn(id: bytes32, game: board.Game, turn: uint256):
    """
    @dev Refuses a move by somebody else, out of turn, or too late.
    @param id The game.
    @param game Its record.
    @param turn Who has to move for this.
    """
    self._check_record(id, game)
    assert game.turn == turn, "game: turn"
    mover: address = game.challenger
    if turn == board.SOLVER:
        mover = game.solver
    assert msg.sender == mover, "game: not yours"
    assert block.timestamp <= game.deadline, "game: too late"


@internal
@pure
def _check_code(work: records.Work, shape: uint256, entries: bytes32):
    """
    @dev Refuses counts and entries that are not those of the task's code root.
    @param work What is to be computed.
    @param shape The counts.
    @param entries Root over the entries.
    """
    counts: bytes24 = convert(convert(shape, uint192), bytes24)
    assert work.code_root == sha256(concat(b"\x0c", counts, entries)), "game: code root"
    assert shape >> 160 > 0 and self._states(shape) > 0, "game: empty program"


@internal
@pure
def _states(shape: uint256) -> uint256:
    """
    @dev Tensors of a state.
    @param shape The counts.
    @return uint256 Their number.
    """
    return (shape >> 64) & LOW_32_BITS


@internal
@pure
def _enter_steps(game: board.Game) -> board.Game:
    """
    @dev Puts the steps between lo and hi on trial; if it is one, its values.
    @param game The record.
    @return Game The next one.
    """
    g: board.Game = game
    if g.hi - g.lo > 1:
        g.level = board.STEPS
        g.paid += g.bond
        return g
    g.step = g.lo
    g.before = g.low
    g.after = g.high
    return self._enter_tree(g, board.VALUES, empty(bytes32), g.shape >> 160)


@internal
@pure
def _enter_tree(game: board.Game, level: uint256, node: bytes32, count: uint256) -> board.Game:
    """
    @dev Puts a tree on trial, for another bond.
    @param game The record.
    @param level Which.
    @param node Its root; zero if the solver has still to state it.
    @param count Its leaves.
    @return Game The next record.
    """
    g: board.Game = game
    g.level = level
    g.paid += g.bond
    g.node = node
    g.count = count
    g.height = merkle.depth(count)
    g.index = 0
    return g


@internal
@pure
def _descend(game: board.Game, levels: uint256, part: uint256) -> board.Game:
    """
    @dev Puts one child on trial.
    @param game The record, with the child as its node.
    @param levels How far it is below the one before.
    @param part Which child it is.
    @return Game The next record.
    """
    g: board.Game = game
    g.height -= levels
    g.index = (g.index << levels) + part
    assert g.index << g.height < g.count, "game: padding"
    if g.height == 0 and g.level == board.DRAWS:
        g.step = g.lo + g.index
        return self._enter_tree(g, board.ROWS, g.node, self._chunks(g.size))
    if g.height == 0 and g.level == board.PRINTS:
        g.mark = g.lo + g.index
        g.claim = g.node
        return self._enter_steps(g)
    return g


@internal
@pure
def _narrow(game: board.Game) -> board.Game:
    """
    @dev Leads on from a part of a span that needs no more cuts.
    @param game The record, with that part's ends.
    @return Game The next record.
    """
    g: board.Game = game
    if g.level == board.STEPS:
        if g.hi - g.lo == 1:
            return self._enter_steps(g)
    elif g.hi - g.lo <= g.piece:
        g.level = board.PROOF
    return g


@internal
@pure
def _claimed(game: board.Game, words: DynArray[bytes32, MAX_WORDS], i: uint256) -> bytes32:
    """
    @dev What the solver claims at a cut.
    @param game The record.
    @param words All that it has revealed.
    @param i Which cut.
    @return bytes32 A state root as it is, an accumulator as the keccak256 of its words.
    """
    if game.level == board.STEPS:
        return words[i]
    if game.width == 1:
        return keccak256(words[i])
    if game.width == 2:
        return keccak256(concat(words[2 * i], words[2 * i + 1]))
    return keccak256(concat(words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]))


@internal
@pure
def _unit(game: board.Game) -> uint256:
    """
    @dev What cuts are multiples of: the rows of a fold in lanes.
    @param game The record.
    @return uint256 Steps or terms.
    """
    if game.level != board.STEPS and game.width > 1:
        return LANES
    return 1


@internal
@pure
def _cuts(game: board.Game) -> uint256:
    """
    @dev Number of cuts of the span on trial.
    @param game The record.
    @return uint256 At most ways - 1.
    """
    unit: uint256 = self._unit(game)
    return min(game.ways, (game.hi + unit - 1) // unit - game.lo // unit) - 1


@internal
@pure
def _cut(game: board.Game, i: uint256) -> uint256:
    """
    @dev Where a cut lies.
    @param game The record.
    @param i Which cut, from 1.
    @return uint256 A step or a term, strictly inside of the span.
    """
    unit: uint256 = self._unit(game)
    first: uint256 = game.lo // unit
    wide: uint256 = (game.hi + unit - 1) // unit - first
    return unit * (first + wide * i // min(game.ways, wide))


@internal
@pure
def _is_tree(level: uint256) -> bool:
    """
    @dev Whether a level is a tree.
    @param level The level.
    @return bool Whether it is opened by `expand`.
    """
    return (
        level == board.VALUES
        or level == board.STATE
        or level == board.TENSOR
        or level == board.DRAWS
        or level == board.ROWS
        or level == board.PRINTS
    )


@internal
@pure
def _chunks(size: uint256) -> uint256:
    """
    @dev Leaves of the tree over some bytes.
    @param size How many bytes.
    @return uint256 One per KiB; one for none.
    """
    return max(1, (size + 1023) // 1024)
