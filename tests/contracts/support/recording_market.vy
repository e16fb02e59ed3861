# pragma version 0.4.3
# A market that lets every finding through and remembers what it was told: games alone are on trial here.
import records

solver: public(address)
state: public(HashMap[bytes32, uint256])
open_games: public(uint256)
upheld: public(uint256)
dismissed: public(uint256)


@deploy
def __init__(solver_: address):
    self.solver = solver_


@external
def set_state(id: bytes32, state_: uint256):
    self.state[id] = state_


@external
def dispute(key: records.Key, result: records.Result, challenger: address, finding: bytes32) -> address:
    self.open_games += 1
    return self.solver


@external
def rule(id: bytes32, key: records.Key, result: records.Result, challenger: address, upheld_: bool):
    assert id == keccak256(abi_encode(key)), "market: key"
    self.open_games -= 1
    if upheld_:
        self.upheld += 1
    else:
        self.dismissed += 1
