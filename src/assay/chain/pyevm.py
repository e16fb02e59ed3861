"""py-evm behind the `Evm` protocol, under the rules of Prague with two differences.

The base fee is always zero. A key that was made a second ago has no ether, and a market of play money needs none; so
gas is metered and limited per block, but free.

A block may have the same timestamp as its parent, never an earlier one. Blocks are made the moment there is a
transaction, many in a second; were each a second later than the one before, a burst of a hundred transactions would
push chain time minutes ahead, and with it every deadline that somebody is working against.

Every other rule (intrinsic gas, nonces, EIP-155, code size) is the fork's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import rlp
from eth._utils.address import generate_contract_address
from eth.abc import BlockHeaderAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI, StateAPI
from eth.chains.base import MiningChain
from eth.consensus import NoProofConsensus
from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB
from eth.exceptions import HeaderNotFound, OutOfGas, Revert, VMError
from eth.validation import validate_gas_limit
from eth.vm.forks import PragueVM
from eth.vm.forks.prague.headers import create_prague_header_from_parent
from eth.vm.spoof import SpoofTransaction
from eth_utils import ValidationError, keccak

from .evm import Block, Call, CallResult, Header, Invalid, Log, Outcome, Transaction
from .ledger import Ledger

__all__ = ["GAS_LIMIT", "PyEvm"]

GAS_LIMIT = 60_000_000
_BLANK = b"\0" * 20


class _Store(BaseDB):
    """The ledger as py-evm wants to see it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __getitem__(self, key: bytes) -> bytes:
        value = self._ledger.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._ledger.put(key, value)

    def __delitem__(self, key: bytes) -> None:
        if self._ledger.get(key) is None:
            raise KeyError(key)
        self._ledger.put(key, None)

    def _exists(self, key: bytes) -> bool:
        return self._ledger.get(key) is not None


def _free_header(parent: BlockHeaderAPI | None, **fields: Any) -> BlockHeaderAPI:
    fields.pop("base_fee_per_gas", None)
    return create_prague_header_from_parent(parent, **fields).copy(base_fee_per_gas=0)


class _FreeVM(PragueVM):
    """Prague without a gas market, and with time that follows the wall clock."""

    consensus_class = NoProofConsensus
    create_header_from_parent = staticmethod(_free_header)

    @classmethod
    def validate_gas(cls, header: BlockHeaderAPI, parent_header: BlockHeaderAPI) -> None:
        validate_gas_limit(header.gas_limit, parent_header.gas_limit)
        if header.base_fee_per_gas != 0:
            raise ValidationError("the base fee of this chain is zero")

    @classmethod
    def validate_header(cls, header: BlockHeaderAPI, parent_header: BlockHeaderAPI) -> None:
        if parent_header is not None and header.timestamp == parent_header.timestamp:
            header = header.copy(timestamp=header.timestamp + 1)
        super().validate_header(header, parent_header)


def _chain_class(chain_id: int) -> type[MiningChain]:
    return MiningChain.configure("AssayChain", vm_configuration=((0, _FreeVM),), chain_id=chain_id)


class PyEvm:
    """The chain in `ledger`. Use `PyEvm.create` once, then `PyEvm(ledger)`."""

    def __init__(self, ledger: Ledger) -> None:
        self.chain_id = int(str(ledger.setting("chain_id")))
        self._ledger = ledger
        self._kind = _chain_class(self.chain_id)
        self.reload()

    @classmethod
    def create(cls, ledger: Ledger, chain_id: int, funded: Mapping[bytes, int], timestamp: int) -> PyEvm:
        """Write the genesis block, in which each address in `funded` has that many wei. The caller commits nothing."""
        header = {"difficulty": 0, "gas_limit": GAS_LIMIT, "timestamp": timestamp, "extra_data": b"assay"}
        state = {a: {"balance": wei, "nonce": 0, "code": b"", "storage": {}} for a, wei in funded.items()}
        _chain_class(chain_id).from_genesis(AtomicDB(_Store(ledger)), header, state)
        ledger.set("chain_id", chain_id)
        ledger.commit()  # the last write: a chain without a genesis block is created again
        return cls(ledger)

    @staticmethod
    def exists(ledger: Ledger) -> bool:
        """Whether the ledger holds a genesis block."""
        return ledger.get(b"v1:canonical_head_hash") is not None

    def reload(self) -> None:
        self._ledger.discard()
        self._chain = self._kind(AtomicDB(_Store(self._ledger)))
        self._head = self._chain.get_canonical_head()
        self.gas_limit = int(self._head.gas_limit)
        self._states: dict[int, StateAPI] = {}

    # -- reading -------------------------------------------------------------------------------------------------

    def head(self) -> Header:
        return _header(self._head)

    def header(self, number: int) -> Header | None:
        found = self._raw_header(number)
        return None if found is None else _header(found)

    def header_of(self, block_hash: bytes) -> Header | None:
        try:
            return _header(self._chain.get_block_header_by_hash(block_hash))
        except HeaderNotFound:
            return None

    def _raw_header(self, number: int) -> BlockHeaderAPI | None:
        if number == self._head.block_number:
            return self._head
        try:
            return self._chain.get_canonical_block_header_by_number(number)
        except HeaderNotFound:
            return None

    def _next_header(self, parent: BlockHeaderAPI, timestamp: int, randomness: bytes) -> BlockHeaderAPI:
        fields = {"timestamp": timestamp, "mix_hash": randomness, "gas_limit": parent.gas_limit, "coinbase": _BLANK}
        return self._chain.create_header_from_parent(parent, **fields)

    def _state(self, block: int) -> StateAPI:
        """The state after `block`; the head's is kept, because it is what everybody asks for."""
        found = self._states.get(block)
        if found is None:
            header = self._raw_header(block)
            if header is None:
                raise Invalid("block not found")
            found = self._chain.get_vm(self._next_header(header, header.timestamp, b"\0" * 32)).state
            if block == self._head.block_number:
                self._states = {block: found}
        return found

    def balance(self, address: bytes, block: int) -> int:
        return int(self._state(block).get_balance(address))

    def nonce(self, address: bytes, block: int) -> int:
        return int(self._state(block).get_nonce(address))

    def code(self, address: bytes, block: int) -> bytes:
        return bytes(self._state(block).get_code(address))

    def storage(self, address: bytes, slot: int, block: int) -> int:
        return int(self._state(block).get_storage(address, slot))

    # -- transactions --------------------------------------------------------------------------------------------

    def decode(self, raw: bytes) -> Transaction:
        try:
            tx = _parse(raw)
            tx.validate()
            sender = bytes(tx.sender)
        except Invalid:
            raise
        except Exception as error:  # the decoder raises whatever rlp, eth-keys and py-evm raise on hostile bytes
            raise Invalid(f"invalid transaction: {error}") from error
        kind = raw[0] if raw[0] < 0x80 else 0
        if tx.chain_id is None:
            raise Invalid("only replay-protected (EIP-155) transactions are allowed")
        if tx.chain_id != self.chain_id:
            raise Invalid(f"invalid chain id for signer: have {tx.chain_id} want {self.chain_id}")
        access = tuple((bytes(a), tuple(slots)) for a, slots in tx.access_list) if kind else ()
        fees = (tx.max_fee_per_gas, tx.max_priority_fee_per_gas)
        fields = (bytes(tx.to), tx.value, tx.gas, bytes(tx.data), *fees, access, tx.y_parity, tx.r, tx.s)
        return Transaction(keccak(raw), raw, kind, sender, tx.nonce, *fields)

    def build(self, transactions: Sequence[Transaction], timestamp: int, randomness: bytes) -> Block:
        base = self._next_header(self._head, timestamp, randomness)
        vm = self._chain.get_vm(base)
        vm.block_preprocessing(vm.get_block())
        header, done, invalid, left = base, [], [], ()
        for position, transaction in enumerate(transactions):
            if header.gas_used + transaction.gas > header.gas_limit:
                left = tuple(transactions[position:])  # in order: a later nonce must not overtake
                break
            parsed = _parse(transaction.raw)
            try:
                receipt, computation = vm.apply_transaction(header, parsed)
            except ValidationError as error:
                invalid.append((transaction, str(error)))
                continue
            header = vm.add_receipt_to_header(header, receipt)
            done.append((transaction, parsed, receipt, computation))
        parsed_all, receipts = [d[1] for d in done], [d[2] for d in done]
        filled = vm.set_block_transactions_and_withdrawals(vm.get_block(), header, parsed_all, receipts)
        block = vm.mine_block(filled).block
        self._chain.persist_block(block)
        self._head = block.header
        self._states = {}
        outcomes = _outcomes([(t, r, c) for t, _, r, c in done])
        return Block(_header(block.header), outcomes, tuple(invalid), left)

    def call(self, call: Call, block: int, timestamp: int, randomness: bytes) -> CallResult:
        parent = self._raw_header(block)
        if parent is None:
            raise Invalid("block not found")
        header = self._next_header(parent, max(timestamp, parent.timestamp), randomness)
        vm = self._chain.get_vm(header)  # dropped with everything that the call changes: nothing is persisted
        state = vm.state
        unsigned = vm.create_unsigned_transaction(
            nonce=state.get_nonce(call.sender), gas_price=0, gas=call.gas, to=call.to, value=call.value, data=call.data
        )
        try:
            done = state.costless_execute_transaction(SpoofTransaction(unsigned, from_=call.sender))
        except ValidationError as error:
            raise Invalid(str(error)) from error
        return _result(done, call.gas)


@lru_cache(maxsize=512)
def _parse(raw: bytes) -> SignedTransactionAPI:
    """A signed transaction as py-evm knows it; it keeps its sender, once that is recovered from the signature."""
    if not raw or (raw[0] not in (1, 2) and raw[0] < 0xC0):
        raise Invalid("transaction type not supported")
    tx = _FreeVM.get_transaction_builder().decode(raw)
    if tx.encode() != raw:
        raise Invalid("invalid transaction: not in canonical form")
    return tx


def _result(done: ComputationAPI, gas: int) -> CallResult:
    output = bytes(done.output)
    used = gas - done.get_gas_remaining()
    if not done.is_error:
        return CallResult(output, used)
    error: VMError = done.error
    reverted = isinstance(error, Revert)
    why = "execution reverted" if reverted else "out of gas" if isinstance(error, OutOfGas) else f"{error!r}"
    return CallResult(output, used, why, reverted)


def _header(h: BlockHeaderAPI) -> Header:
    size = len(rlp.encode(h))
    roots = (h.state_root, h.transaction_root, h.receipt_root, h.uncles_hash)
    gas = (h.timestamp, h.gas_limit, h.gas_used, h.base_fee_per_gas)
    return Header(
        h.block_number, h.hash, h.parent_hash, *gas, h.mix_hash, *roots, h.bloom, h.extra_data, h.coinbase, size
    )


def _outcomes(done: list[tuple[Transaction, ReceiptAPI, ComputationAPI]]) -> tuple[Outcome, ...]:
    outcomes, before = [], 0
    for tx, receipt, computation in done:
        logs = tuple(
            Log(bytes(log.address), tuple(t.to_bytes(32, "big") for t in log.topics), bytes(log.data))
            for log in receipt.logs
        )
        ok, total = bool(computation.is_success), int(receipt.gas_used)
        created = generate_contract_address(tx.sender, tx.nonce) if ok and not tx.to else b""
        price = min(tx.max_fee, tx.max_priority)  # the base fee is zero
        outcomes.append(Outcome(tx, ok, total - before, total, price, receipt.bloom, created, logs))
        before = total
    return tuple(outcomes)
