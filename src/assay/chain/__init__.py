"""The only code that talks to an EVM: client, typed contracts, events, keys. The embedded node is `assay.chain.node`."""

from .client import BlockRef, Call, Client, RawLog, TransactionReceipt
from .contract import ZERO_ADDRESS, Token
from .deployment import Deployment, deploy
from .event import Event
from .games import Games
from .jackpot import Change, Jackpot, Truth, forced_interval
from .keys import Key, create, passphrase, unlock
from .local import Spent, move_time, spent
from .market import Market
from .reader import EventReader, Rewind, events
from .records import NO_RESULT, Opening, Result, TaskKey, TaskRecord, Terms, Work
from .stakes import Member, Role, Stakes
from .statement import Statement, statement

__all__ = [
    "NO_RESULT",
    "ZERO_ADDRESS",
    "BlockRef",
    "Call",
    "Change",
    "Client",
    "Deployment",
    "Event",
    "EventReader",
    "Games",
    "Jackpot",
    "Key",
    "Market",
    "Member",
    "Opening",
    "RawLog",
    "Result",
    "Rewind",
    "Role",
    "Spent",
    "Stakes",
    "Statement",
    "TaskKey",
    "TaskRecord",
    "Terms",
    "Token",
    "TransactionReceipt",
    "Truth",
    "Work",
    "create",
    "deploy",
    "events",
    "forced_interval",
    "move_time",
    "passphrase",
    "spent",
    "statement",
    "unlock",
]
