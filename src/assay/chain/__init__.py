"""The only code that talks to an EVM: client, typed contracts, events, keys. The embedded node is `assay.chain.node`."""

from .client import BlockRef, Call, Client, RawLog, TransactionReceipt
from .contract import ZERO_ADDRESS, ZERO_WORD
from .deployment import Deployment, deploy
from .event import Event
from .keys import Key, create, passphrase, unlock
from .market import Market, TaskRecord
from .reader import EventReader, Rewind, events
from .records import Opening, Sworn, TaskKey, Terms, Work
from .stakes import Member, Role, Stakes
from .token import Token

__all__ = [
    "ZERO_ADDRESS",
    "ZERO_WORD",
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
    "Stakes",
    "Sworn",
    "TaskKey",
    "TaskRecord",
    "Terms",
    "Token",
    "TransactionReceipt",
    "Work",
    "create",
    "deploy",
    "events",
    "passphrase",
    "unlock",
]
