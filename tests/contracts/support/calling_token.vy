# pragma version 0.4.3
# A token that, while it moves money, makes a call that somebody has planted, and remembers whether it went through.
# It can also refuse to pay one address, or answer false instead of reverting.

balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
target: public(address)
payload: public(Bytes[4096])
went_through: public(bool)
answer: public(Bytes[160])
attempts: public(uint256)
blocked: public(HashMap[address, bool])
silent: public(bool)


@external
def faucet() -> uint256:
    self.balanceOf[msg.sender] += 10 ** 10
    return 10 ** 10


@external
def plant(target: address, payload: Bytes[4096]):
    self.target = target
    self.payload = payload
    self.attempts = 0
    self.went_through = False


@external
def act(target: address, payload: Bytes[4096]):
    """Call in the token's own name, so that it can be a user of the contracts itself."""
    raw_call(target, payload)


@external
def block_address(who: address, blocked: bool):
    self.blocked[who] = blocked


@external
def set_silent(silent: bool):
    self.silent = silent


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(to: address, amount: uint256) -> bool:
    if self.silent:
        return False
    self._move(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    if self.silent:
        return False
    self.allowance[owner][msg.sender] -= amount
    self._move(owner, to, amount)
    return True


@internal
def _move(owner: address, to: address, amount: uint256):
    assert not self.blocked[to], "odd token: blocked"
    self.balanceOf[owner] -= amount
    self.balanceOf[to] += amount
    if self.target != empty(address):
        self.attempts += 1
        ok: bool = False
        data: Bytes[160] = b""
        ok, data = raw_call(self.target, self.payload, max_outsize=160, revert_on_failure=False)
        self.answer = data
        if ok:
            self.went_through = True
