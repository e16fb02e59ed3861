"""The only code that talks to an EVM: client, typed contracts, events, keys. The embedded node is `assay.chain.node`."""

from .client import BlockRef, Call, Client, RawLog, TransactionReceipt
from .contracts import ZERO_ADDRESS, Market, Member, Opening, Role, Stakes, TaskRecord, Terms, Token
from .deployment import Deployment, deploy
from .event import Event
from .keys import Key, create, passphrase, unlock
from .local import Spent, move_time, spent
from .reader import EventReader, Rewind, events

__all__ = [
    "ZERO_ADDRESS",
    "BlockRef",
    "Call",
    "Client",
    "Deployment",
    "Event",
    "EventReader",
    "Key",
    "Market",
    "Member",
    "Opening",
    "RawLog",
    "Rewind",
    "Role",
    "Spent",
    "Stakes",
    "TaskRecord",
    "Terms",
    "Token",
    "TransactionReceipt",
    "create",
    "deploy",
    "events",
    "move_time",
    "passphrase",
    "spent",
    "unlock",
]
