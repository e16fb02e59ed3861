# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Stakes
@license Apache-2.0
@author The assay contributors
@notice Who offers to solve, to verify and to blow the whistle, where they answer, and the money that they put behind it.
        An address may hold several roles, with a stake for each. A stake is paid back after an unbonding delay.
        The market locks a part of a stake while a task depends on it, and takes it if a ruling or a proven silence says so.
        There is no owner.
"""

from ethereum.ercs import IERC20


struct Member:
    stake: uint256  # smallest unit of the currency
    locked: uint256  # part of the stake that tasks depend on
    joined: uint256  # block in which the role was taken
    unlocks: uint256  # Unix seconds from which the stake may be withdrawn; 0 while active
    index: uint256  # position in the role's list, while active
    endpoint: String[200]  # where the member answers, for instance http://127.0.0.1:7001


# @notice `account` holds `stake` in `role` and answers at `endpoint`.
event Registered:
    account: indexed(address)
    role: indexed(uint256)
    added: uint256
    stake: uint256
    endpoint: String[200]


# @notice `account` answers at `endpoint` from now on.
event EndpointSet:
    account: indexed(address)
    role: indexed(uint256)
    endpoint: String[200]


# @notice `account` gave up `role`, or lost too much to keep it; its stake may be withdrawn from `unlocks` on.
event Left:
    account: indexed(address)
    role: indexed(uint256)
    unlocks: uint256


# @notice `account` has its stake back, or what of it is not locked.
event Withdrawn:
    account: indexed(address)
    role: indexed(uint256)
    amount: uint256


# @notice `account` lost `amount` of its stake: `kept` went to the market, which says to whom, the rest was burned.
event Slashed:
    account: indexed(address)
    role: indexed(uint256)
    amount: uint256
    kept: uint256


# @notice The role of those who execute tasks.
SOLVER: public(constant(uint256)) = 1

# @notice The role of those who are drawn to replay.
VERIFIER: public(constant(uint256)) = 2

# @notice The role of those who check solvers and verifiers unasked.
WHISTLEBLOWER: public(constant(uint256)) = 3

# @notice Where burned money goes: nobody has this address's key.
BURNED: public(constant(address)) = 0x000000000000000000000000000000000000dEaD

# @dev A member's word: stake, locked (88 bits each), joined, unlocks (40 bits each), from the lowest bit.
AMOUNT: constant(uint256) = 2 ** 88 - 1
TIME: constant(uint256) = 2 ** 40 - 1


# @notice The currency.
token: public(immutable(IERC20))

# @notice The contract that may lock, unlock and slash.
market: public(immutable(address))

# @notice Least stake of a solver.
solver_minimum: public(immutable(uint256))

# @notice Least stake of a verifier.
verifier_minimum: public(immutable(uint256))

# @notice Least stake of a whistleblower.
whistleblower_minimum: public(immutable(uint256))

# @notice Seconds between `leave` and `withdraw`.
unbonding: public(immutable(uint256))

# @dev Stake, locked part and times of an account in a role, in one word.
book: HashMap[address, HashMap[uint256, uint256]]

# @dev Position of an account in a role's list, while active.
places: HashMap[address, HashMap[uint256, uint256]]

# @dev Where an account answers in a role.
endpoints: HashMap[address, HashMap[uint256, String[200]]]

# @notice Number of active members of a role.
count: public(HashMap[uint256, uint256])

# @notice The active members of a role, by position. Positions change when somebody leaves.
at: public(HashMap[uint256, HashMap[uint256, address]])


@deploy
def __init__(
    token_: address,
    market_: address,
    solver_minimum_: uint256,
    verifier_minimum_: uint256,
    whistleblower_minimum_: uint256,
    unbonding_: uint256,
):
    """
    @notice Fixes the currency and the rules for good.
    @param token_ The ERC-20 in which stakes are held.
    @param market_ Where the market will be: it is deployed after this contract, whose address it needs in turn.
    @param solver_minimum_ Least stake of a solver, at least 1.
    @param verifier_minimum_ Least stake of a verifier, at least 1.
    @param whistleblower_minimum_ Least stake of a whistleblower, at least 1.
    @param unbonding_ Seconds between `leave` and `withdraw`.
    """
    assert token_.is_contract, "stakes: token"
    assert market_ != empty(address), "stakes: market"
    assert solver_minimum_ > 0 and verifier_minimum_ > 0 and whistleblower_minimum_ > 0, "stakes: minimum"
    assert unbonding_ <= 365 * 86400, "stakes: unbonding"
    token = IERC20(token_)
    market = market_
    solver_minimum = solver_minimum_
    verifier_minimum = verifier_minimum_
    whistleblower_minimum = whistleblower_minimum_
    unbonding = unbonding_


@external
def register(role: uint256, amount: uint256, endpoint: String[200]):
    """
    @notice Takes a role, or adds to its stake, and sets the endpoint. `amount` must have been approved before.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @param amount What to add to the stake, in the smallest unit; 0 is fine once the minimum is there.
    @param endpoint Where the caller answers.
    """
    self._check_role(role)
    word: uint256 = self.book[msg.sender][role]
    assert self._unlocks(word) == 0, "stakes: leaving"
    is_new: bool = word == 0
    assert amount <= AMOUNT, "stakes: amount"
    stake: uint256 = self._stake(word) + amount
    assert stake >= self._minimum(role), "stakes: minimum"
    assert stake <= AMOUNT, "stakes: amount"
    if amount > 0:
        before: uint256 = staticcall token.balanceOf(self)
        assert extcall token.transferFrom(msg.sender, self, amount, default_return_value=True), "stakes: transfer"
        assert staticcall token.balanceOf(self) == before + amount, "stakes: fee on transfer"
    joined: uint256 = self._joined(word)
    if is_new:
        joined = block.number
        index: uint256 = self.count[role]
        self.places[msg.sender][role] = index
        self.at[role][index] = msg.sender
        self.count[role] = index + 1
    self.book[msg.sender][role] = self._word(stake, self._locked(word), joined, 0)
    self.endpoints[msg.sender][role] = endpoint
    log Registered(account=msg.sender, role=role, added=amount, stake=stake, endpoint=endpoint)


@external
def set_endpoint(role: uint256, endpoint: String[200]):
    """
    @notice Changes where the caller answers.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @param endpoint Where the caller answers.
    """
    assert self._is_active(self.book[msg.sender][role]), "stakes: not active"
    self.endpoints[msg.sender][role] = endpoint
    log EndpointSet(account=msg.sender, role=role, endpoint=endpoint)


@external
def leave(role: uint256):
    """
    @notice Gives up a role at once and starts the unbonding delay. What is locked stays locked.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    """
    word: uint256 = self.book[msg.sender][role]
    assert self._is_active(word), "stakes: not active"
    self._leave(msg.sender, role, word)


@external
def withdraw(role: uint256) -> uint256:
    """
    @notice Pays the stake back after the unbonding delay. What is locked then stays, and can be had by another call later.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @return uint256 The amount paid.
    """
    word: uint256 = self.book[msg.sender][role]
    unlocks: uint256 = self._unlocks(word)
    assert unlocks != 0, "stakes: not leaving"
    assert block.timestamp >= unlocks, "stakes: unbonding"
    locked: uint256 = self._locked(word)
    amount: uint256 = self._stake(word) - locked
    if locked == 0:
        self.book[msg.sender][role] = 0
        self.endpoints[msg.sender][role] = ""
    else:
        assert amount > 0, "stakes: locked"
        self.book[msg.sender][role] = self._word(locked, locked, self._joined(word), unlocks)
    if amount > 0:
        assert extcall token.transfer(msg.sender, amount, default_return_value=True), "stakes: transfer"
    log Withdrawn(account=msg.sender, role=role, amount=amount)
    return amount


@external
def lock(account: address, role: uint256, amount: uint256, active: bool):
    """
    @notice Locks a part of a stake that is not locked yet. Only the market may call this.
    @param account Whose stake.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @param amount How much.
    @param active Whether it has to hold the role still; one that is leaving is good for its stake as well.
    """
    self._check_market()
    word: uint256 = self.book[account][role]
    assert not active or self._is_active(word), "stakes: not active"
    locked: uint256 = self._locked(word)
    assert locked + amount <= self._stake(word), "stakes: free stake"
    if amount > 0:
        self.book[account][role] = word + (amount << 88)


@external
def unlock(account: address, role: uint256, amount: uint256):
    """
    @notice Frees what was locked. Only the market may call this.
    @param account Whose stake.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @param amount How much.
    """
    self._check_market()
    word: uint256 = self.book[account][role]
    assert amount <= self._locked(word), "stakes: not locked"
    if amount > 0:
        self.book[account][role] = word - (amount << 88)


@external
def slash(account: address, role: uint256, amount: uint256, kept: uint256):
    """
    @notice Takes what was locked. Only the market may call this. Who falls below the minimum loses the role.
    @param account Whose stake.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @param amount How much.
    @param kept The part that the market gets, to hand it on; the rest is burned.
    """
    self._check_market()
    word: uint256 = self.book[account][role]
    assert amount <= self._locked(word), "stakes: not locked"
    assert kept <= amount, "stakes: kept"
    word = word - amount - (amount << 88)
    self.book[account][role] = word
    if self._unlocks(word) == 0 and self._stake(word) < self._minimum(role):
        self._leave(account, role, word)
    if kept > 0:
        assert extcall token.transfer(market, kept, default_return_value=True), "stakes: transfer"
    if amount > kept:
        assert extcall token.transfer(BURNED, amount - kept, default_return_value=True), "stakes: transfer"
    log Slashed(account=account, role=role, amount=amount, kept=kept)


@external
@view
def members(account: address, role: uint256) -> Member:
    """
    @notice All about an account in a role.
    @param account Whom to look up.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @return Member Its record; zeros if it is none.
    """
    word: uint256 = self.book[account][role]
    return Member(
        stake=self._stake(word),
        locked=self._locked(word),
        joined=self._joined(word),
        unlocks=self._unlocks(word),
        index=self.places[account][role],
        endpoint=self.endpoints[account][role],
    )


@external
@view
def is_active(account: address, role: uint256) -> bool:
    """
    @notice Whether `account` holds `role` now.
    @param account Whom to look up.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @return bool True if it has its stake in and is not leaving.
    """
    return self._is_active(self.book[account][role])


@external
@view
def stake_of(account: address, role: uint256) -> uint256:
    """
    @notice The stake of `account` in `role`, while unbonding too.
    @param account Whom to look up.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @return uint256 The amount in the smallest unit.
    """
    return self._stake(self.book[account][role])


@external
@view
def free_of(account: address, role: uint256) -> uint256:
    """
    @notice The part of a stake that is not locked.
    @param account Whom to look up.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @return uint256 The amount in the smallest unit.
    """
    word: uint256 = self.book[account][role]
    return self._stake(word) - self._locked(word)


@external
@view
def endpoint_of(account: address, role: uint256) -> String[200]:
    """
    @notice Where `account` answers in `role`.
    @param account Whom to look up.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @return String The endpoint; empty if it is not a member.
    """
    return self.endpoints[account][role]


@external
@view
def seated(role: uint256, index: uint256, since: uint256) -> address:
    """
    @notice The active member at a position, if it took the role in block `since` or earlier. Draws use it, so that nobody
            can join after the randomness of a draw is known and be drawn.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @param index Position in the role's list.
    @param since Block number.
    @return address The member; zero if the position is empty or its holder joined later.
    """
    account: address = self.at[role][index]
    if account == empty(address) or self._joined(self.book[account][role]) > since:
        return empty(address)
    return account


@external
@view
def verifiers_beside(submitter: address, solver: address) -> (uint256, uint256):
    """
    @notice How many verifiers a task can draw from.
    @param submitter The task's submitter, who is not drawn.
    @param solver Its solver, who is not drawn either.
    @return uint256 Length of the verifiers' list.
    @return uint256 How many of these are neither of the two.
    """
    seats: uint256 = self.count[VERIFIER]
    available: uint256 = seats
    if self._is_active(self.book[solver][VERIFIER]):
        available -= 1
    if submitter != solver and self._is_active(self.book[submitter][VERIFIER]):
        available -= 1
    return seats, available


@internal
@view
def _check_market():
    """
    @dev Refuses everybody but the market.
    """
    assert msg.sender == market, "stakes: not the market"


@internal
@pure
def _check_role(role: uint256):
    """
    @dev Refuses anything but the roles.
    @param role What to check.
    """
    assert role >= SOLVER and role <= WHISTLEBLOWER, "stakes: role"


@internal
@view
def _minimum(role: uint256) -> uint256:
    """
    @dev Least stake of a role.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @return uint256 The amount in the smallest unit.
    """
    if role == SOLVER:
        return solver_minimum
    if role == VERIFIER:
        return verifier_minimum
    return whistleblower_minimum


@internal
def _leave(account: address, role: uint256, word: uint256):
    """
    @dev Takes an active member off the list and starts its unbonding delay.
    @param account Who leaves.
    @param role 1 solver, 2 verifier, 3 whistleblower.
    @param word Its word.
    """
    index: uint256 = self.places[account][role]
    last: uint256 = self.count[role] - 1
    mover: address = self.at[role][last]
    self.at[role][index] = mover
    self.places[mover][role] = index
    self.at[role][last] = empty(address)
    self.count[role] = last
    unlocks: uint256 = block.timestamp + unbonding
    self.places[account][role] = 0
    self.book[account][role] = word | (unlocks << 216)
    log Left(account=account, role=role, unlocks=unlocks)


@internal
@pure
def _is_active(word: uint256) -> bool:
    """
    @dev An active stake below the minimum cannot exist: `register` checks the sum, and `slash` takes the role.
    @param word A member's word.
    @return bool True if it has its stake in and is not leaving.
    """
    return word != 0 and word >> 216 == 0


@internal
@pure
def _stake(word: uint256) -> uint256:
    """
    @dev The stake in a member's word.
    @param word The word.
    @return uint256 The amount.
    """
    return word & AMOUNT


@internal
@pure
def _locked(word: uint256) -> uint256:
    """
    @dev The locked part in a member's word, never more than the stake.
    @param word The word.
    @return uint256 The amount.
    """
    return (word >> 88) & AMOUNT


@internal
@pure
def _joined(word: uint256) -> uint256:
    """
    @dev The block in which the role was taken, in a member's word.
    @param word The word.
    @return uint256 The block's number.
    """
    return (word >> 176) & TIME


@internal
@pure
def _unlocks(word: uint256) -> uint256:
    """
    @dev When the stake may be withdrawn, in a member's word.
    @param word The word.
    @return uint256 Unix seconds, 0 while active.
    """
    return word >> 216


@internal
@pure
def _word(stake: uint256, locked: uint256, joined: uint256, unlocks: uint256) -> uint256:
    """
    @dev A member's word.
    @param stake Its stake.
    @param locked The locked part of it.
    @param joined The block in which it took the role.
    @param unlocks When the stake may be withdrawn, 0 while active.
    @return uint256 The word.
    """
    return stake | (locked << 88) | (joined << 176) | (unlocks << 216)
