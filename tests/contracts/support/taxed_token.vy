# pragma version 0.4.3
# A token that keeps 1 % of every transfer, as some do. The contracts must not book money that has not arrived.

balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
tax_free: public(HashMap[address, bool])


@external
def faucet() -> uint256:
    self.balanceOf[msg.sender] += 10 ** 10
    return 10 ** 10


@external
def set_tax_free(who: address, free: bool):
    self.tax_free[who] = free


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(to: address, amount: uint256) -> bool:
    self._move(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    self.allowance[owner][msg.sender] -= amount
    self._move(owner, to, amount)
    return True


@internal
def _move(owner: address, to: address, amount: uint256):
    self.balanceOf[owner] -= amount
    self.balanceOf[to] += amount if self.tax_free[owner] else amount - amount // 100
