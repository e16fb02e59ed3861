# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Play money
@license Apache-2.0
@author The assay contributors
@notice An ERC-20 for the local network. Anybody may draw one fixed grant from the faucet; nobody can do more than that,
        and there is no owner. It is worth nothing: on a public chain the market takes any ERC-20 instead.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

implements: IERC20
implements: IERC20Detailed


# @dev What one call to `faucet` mints: 10,000 units of 10**6.
GRANT: public(constant(uint256)) = 10_000 * 10 ** 6

# @notice The name of the currency.
name: public(constant(String[16])) = "Assay play money"

# @notice The ticker of the currency.
symbol: public(constant(String[4])) = "PLAY"

# @notice Number of decimals of one unit.
decimals: public(constant(uint8)) = 6


# @notice Amount that an address owns.
balanceOf: public(HashMap[address, uint256])

# @notice Amount that a spender may still move out of an owner's balance. `max_value(uint256)` is never used up.
allowance: public(HashMap[address, HashMap[address, uint256]])

# @notice Amount in existence.
totalSupply: public(uint256)

# @notice Whether an address has had its grant.
granted: public(HashMap[address, bool])


@deploy
def __init__():
    """
    @notice Starts with a supply of zero.
    """
    pass


@external
def faucet() -> uint256:
    """
    @notice Mints the grant to the caller, once per address.
    @return uint256 The amount minted.
    """
    assert not self.granted[msg.sender], "token: granted"
    self.granted[msg.sender] = True
    self.totalSupply += GRANT
    self.balanceOf[msg.sender] += GRANT
    log IERC20.Transfer(sender=empty(address), receiver=msg.sender, value=GRANT)
    return GRANT


@external
def transfer(to: address, amount: uint256) -> bool:
    """
    @notice Moves `amount` from the caller to `to`.
    @param to The receiver.
    @param amount The amount in the smallest unit.
    @return bool Always true; failure reverts.
    """
    self._transfer(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    """
    @notice Moves `amount` from `owner` to `to`, out of the caller's allowance.
    @param owner Whose money is moved.
    @param to The receiver.
    @param amount The amount in the smallest unit.
    @return bool Always true; failure reverts.
    """
    allowed: uint256 = self.allowance[owner][msg.sender]
    if allowed != max_value(uint256):
        assert allowed >= amount, "token: allowance"
        self.allowance[owner][msg.sender] = allowed - amount
        log IERC20.Approval(owner=owner, spender=msg.sender, value=allowed - amount)
    self._transfer(owner, to, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Lets `spender` move up to `amount` of the caller's money.
    @param spender Who may move it.
    @param amount The new allowance; it replaces the old one.
    @return bool Always true.
    """
    self.allowance[msg.sender][spender] = amount
    log IERC20.Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@internal
def _transfer(owner: address, to: address, amount: uint256):
    """
    @dev Moves `amount`, without looking at allowances.
    @param owner Whose money is moved.
    @param to The receiver.
    @param amount The amount in the smallest unit.
    """
    assert to != empty(address), "token: zero address"
    assert self.balanceOf[owner] >= amount, "token: balance"
    self.balanceOf[owner] -= amount
    self.balanceOf[to] += amount
    log IERC20.Transfer(sender=owner, receiver=to, value=amount)
