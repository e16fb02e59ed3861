# pragma version 0.4.3
# A market that lets every finding through and remembers what it was told: games alone are on trial here.
import records

solver: public(address)
state: public(HashMap[bytes32, uint256])
open_games: public(uint256)
upheld: public(uint256)
dismissed: public(uint256)
answers: public(uint256)


@deploy
def __init__(solver_: address):
    self.solver = solver_


@external
def set_state(id: bytes32, state_: uint256):
    self.state[id] = state_


@external
def dispute(
    key: records.Key, result: records.Result, challenger: address, kind: uint256, interval: uint256, salt: bytes32
) -> address:
    self.open_games += 1
    return self.solver


@external
def answered(id: bytes32):
    self.answers += 1


@external
def rule(key: records.Key, result: records.Result, challenger: address, upheld_: bool):
    self.open_games -= 1
    if upheld_:
        self.upheld += 1
    else:
        self.dismissed += 1
