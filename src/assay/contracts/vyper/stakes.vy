# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Stakes
@license Apache-2.0
@author The assay contributors
@notice Who offers to solve and who offers to verify, where they answer, and the money that they put behind it.
        An address may hold both roles, with a stake for each. A stake is paid back after an unbonding delay.
        There is no owner, and nothing here takes a stake away from its holder.
"""

from ethereum.ercs import IERC20


struct Member:
    stake: uint256  # smallest unit of the currency; 0 means: not a member
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


# @notice `account` gave up `role`; its stake may be withdrawn from `unlocks` on.
event Left:
    account: indexed(address)
    role: indexed(uint256)
    unlocks: uint256


# @notice `account` has its stake back.
event Withdrawn:
    account: indexed(address)
    role: indexed(uint256)
    amount: uint256


# @notice The role of those who execute tasks.
SOLVER: public(constant(uint256)) = 1

# @notice The role of those who are drawn to replay.
VERIFIER: public(constant(uint256)) = 2


# @notice The currency.
token: public(immutable(IERC20))

# @notice Least stake of a solver.
solver_minimum: public(immutable(uint256))

# @notice Least stake of a verifier.
verifier_minimum: public(immutable(uint256))

# @notice Seconds between `leave` and `withdraw`.
unbonding: public(immutable(uint256))

# @notice The record of an account in a role.
members: public(HashMap[address, HashMap[uint256, Member]])

# @notice Number of active members of a role.
count: public(HashMap[uint256, uint256])

# @notice The active members of a role, by position. Positions change when somebody leaves.
at: public(HashMap[uint256, HashMap[uint256, address]])


@deploy
def __init__(token_: address, solver_minimum_: uint256, verifier_minimum_: uint256, unbonding_: uint256):
    """
    @notice Fixes the currency and the rules for good.
    @param token_ The ERC-20 in which stakes are held.
    @param solver_minimum_ Least stake of a solver, at least 1.
    @param verifier_minimum_ Least stake of a verifier, at least 1.
    @param unbonding_ Seconds between `leave` and `withdraw`.
    """
    assert token_.is_contract, "stakes: token"
    assert solver_minimum_ > 0 and verifier_minimum_ > 0, "stakes: minimum"
    assert unbonding_ <= 365 * 86400, "stakes: unbonding"
    token = IERC20(token_)
    solver_minimum = solver_minimum_
    verifier_minimum = verifier_minimum_
    unbonding = unbonding_


@external
def register(role: uint256, amount: uint256, endpoint: String[200]):
    """
    @notice Takes a role, or adds to its stake, and sets the endpoint. `amount` must have been approved before.
    @param role 1 solver, 2 verifier.
    @param amount What to add to the stake, in the smallest unit; 0 is fine once the minimum is there.
    @param endpoint Where the caller answers.
    """
    self._check_role(role)
    assert self.members[msg.sender][role].unlocks == 0, "stakes: leaving"
    stake: uint256 = self.members[msg.sender][role].stake
    is_new: bool = stake == 0
    stake += amount
    assert stake >= self._minimum(role), "stakes: minimum"
    if amount > 0:
        before: uint256 = staticcall token.balanceOf(self)
        assert extcall token.transferFrom(msg.sender, self, amount, default_return_value=True), "stakes: transfer"
        assert staticcall token.balanceOf(self) == before + amount, "stakes: fee on transfer"
    self.members[msg.sender][role].stake = stake
    self.members[msg.sender][role].endpoint = endpoint
    if is_new:
        index: uint256 = self.count[role]
        self.members[msg.sender][role].joined = block.number
        self.members[msg.sender][role].index = index
        self.at[role][index] = msg.sender
        self.count[role] = index + 1
    log Registered(account=msg.sender, role=role, added=amount, stake=stake, endpoint=endpoint)


@external
def set_endpoint(role: uint256, endpoint: String[200]):
    """
    @notice Changes where the caller answers.
    @param role 1 solver, 2 verifier.
    @param endpoint Where the caller answers.
    """
    assert self._is_active(msg.sender, role), "stakes: not active"
    self.members[msg.sender][role].endpoint = endpoint
    log EndpointSet(account=msg.sender, role=role, endpoint=endpoint)


@external
def leave(role: uint256):
    """
    @notice Gives up a role at once and starts the unbonding delay.
    @param role 1 solver, 2 verifier.
    """
    assert self._is_active(msg.sender, role), "stakes: not active"
    index: uint256 = self.members[msg.sender][role].index
    last: uint256 = self.count[role] - 1
    mover: address = self.at[role][last]
    self.at[role][index] = mover
    self.members[mover][role].index = index
    self.at[role][last] = empty(address)
    self.count[role] = last
    unlocks: uint256 = block.timestamp + unbonding
    self.members[msg.sender][role].index = 0
    self.members[msg.sender][role].unlocks = unlocks
    log Left(account=msg.sender, role=role, unlocks=unlocks)


@external
def withdraw(role: uint256) -> uint256:
    """
    @notice Pays the stake back after the unbonding delay.
    @param role 1 solver, 2 verifier.
    @return uint256 The amount paid.
    """
    unlocks: uint256 = self.members[msg.sender][role].unlocks
    assert unlocks != 0, "stakes: not leaving"
    assert block.timestamp >= unlocks, "stakes: unbonding"
    amount: uint256 = self.members[msg.sender][role].stake
    self.members[msg.sender][role] = empty(Member)
    assert extcall token.transfer(msg.sender, amount, default_return_value=True), "stakes: transfer"
    log Withdrawn(account=msg.sender, role=role, amount=amount)
    return amount


@external
@view
def is_active(account: address, role: uint256) -> bool:
    """
    @notice Whether `account` holds `role` now.
    @param account Whom to look up.
    @param role 1 solver, 2 verifier.
    @return bool True if it has its stake in and is not leaving.
    """
    return self._is_active(account, role)


@external
@view
def stake_of(account: address, role: uint256) -> uint256:
    """
    @notice The stake of `account` in `role`, while unbonding too.
    @param account Whom to look up.
    @param role 1 solver, 2 verifier.
    @return uint256 The amount in the smallest unit.
    """
    return self.members[account][role].stake


@external
@view
def endpoint_of(account: address, role: uint256) -> String[200]:
    """
    @notice Where `account` answers in `role`.
    @param account Whom to look up.
    @param role 1 solver, 2 verifier.
    @return String The endpoint; empty if it is not a member.
    """
    return self.members[account][role].endpoint


@external
@view
def seated(role: uint256, index: uint256, since: uint256) -> address:
    """
    @notice The active member at a position, if it took the role in block `since` or earlier. Draws use it, so that nobody
            can join after the randomness of a draw is known and be drawn.
    @param role 1 solver, 2 verifier.
    @param index Position in the role's list.
    @param since Block number.
    @return address The member; zero if the position is empty or its holder joined later.
    """
    account: address = self.at[role][index]
    if account == empty(address) or self.members[account][role].joined > since:
        return empty(address)
    return account


@internal
@pure
def _check_role(role: uint256):
    """
    @dev Refuses anything but the two roles.
    @param role What to check.
    """
    assert role == SOLVER or role == VERIFIER, "stakes: role"


@internal
@view
def _minimum(role: uint256) -> uint256:
    """
    @dev Least stake of a role.
    @param role 1 solver, 2 verifier.
    @return uint256 The amount in the smallest unit.
    """
    if role == SOLVER:
        return solver_minimum
    return verifier_minimum


@internal
@view
def _is_active(account: address, role: uint256) -> bool:
    """
    @dev A stake below the minimum cannot exist: `register` checks the sum, and only `withdraw` takes away.
    @param account Whom to look up.
    @param role 1 solver, 2 verifier.
    @return bool True if it has its stake in and is not leaving.
    """
    return self.members[account][role].stake > 0 and self.members[account][role].unlocks == 0
