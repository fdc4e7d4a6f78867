"""A server that speaks the protocol of the Hugging Face Hub, Xet and all, as far as the clients here use it.

What it holds to: every file is checked against its sha256 when it comes in, commits are atomic, refs name commits.
What it leaves out: git itself, spaces, pull requests, and the check of xorbs' own hashes.
"""

from tests.hub_sync.hub.context import READER, STRANGER, WRITER, WRONG
from tests.hub_sync.hub.faults import Fault, Request
from tests.hub_sync.hub.repos import Commit, Entry
from tests.hub_sync.hub.server import HubServer

__all__ = ["READER", "STRANGER", "WRITER", "WRONG", "Commit", "Entry", "Fault", "HubServer", "Request"]
