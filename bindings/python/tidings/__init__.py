"""Connect Microsoft 365 accounts, send Teams messages and Outlook mail, sync mailboxes: an engine inside your process.

`Engine` is for asyncio, `BlockingEngine` has the same methods for everybody else. Everything here is typed; the stub
`_native.pyi` holds the documentation of each method.
"""

try:
    from . import _native
except ImportError as _error:
    import sysconfig

    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise ImportError("tidings needs a Python with the global interpreter lock; this one is free-threaded.") from _error
    raise
from ._attachments import attachment_from as attachment_from
from ._attachments import blocking_attachment_from as blocking_attachment_from
from ._contents import content_file as content_file
from ._inbound import AsgiRoute as AsgiRoute
from ._inbound import WsgiRoute as WsgiRoute
from ._logging import log_to_logging as log_to_logging
from ._native import *

Mail = _native.MailDraft
Chat = _native.ChatDraft
Reply = _native.ReplyDraft
Forward = _native.ForwardDraft
ChannelPost = _native.ChannelPostDraft
WorkflowPost = _native.WorkflowDraft
BotMessage = _native.BotDraft
ToEndpoint = _native.EndpointDraft

__version__ = _native.version()
