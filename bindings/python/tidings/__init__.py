"""Connect Microsoft 365 accounts, send Teams messages and Outlook mail, sync mailboxes: an engine inside your process.

`Engine` is for asyncio, `BlockingEngine` has the same methods for everybody else. Everything here is typed; the stub
`_native.pyi` holds the documentation of each method.
"""

from . import _native
from ._logging import log_to_logging as log_to_logging
from ._native import *

Mail = _native.MailDraft
Chat = _native.ChatDraft

__version__ = _native.version()
