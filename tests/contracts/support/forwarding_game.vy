# pragma version 0.4.3
# Stands where the game stands and hands on what anybody tells it: here the market is on trial, not the game.
import records


interface Market:
    def dispute(
        key: records.Key, result: records.Result, challenger: address, kind: uint256, interval: uint256, salt: bytes32
    ) -> address: nonpayable
    def answered(id: bytes32): nonpayable
    def rule(key: records.Key, result: records.Result, challenger: address, upheld: bool): nonpayable


market: public(Market)


@external
def attach(market: address):
    self.market = Market(market)


@external
def dispute(
    key: records.Key, result: records.Result, challenger: address, kind: uint256, interval: uint256, salt: bytes32
) -> address:
    return extcall self.market.dispute(key, result, challenger, kind, interval, salt)


@external
def answered(id: bytes32):
    extcall self.market.answered(id)


@external
def rule(key: records.Key, result: records.Result, challenger: address, upheld: bool):
    extcall self.market.rule(key, result, challenger, upheld)
