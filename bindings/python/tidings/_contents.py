"""Contents of a mailbox as file objects."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from . import _native

if TYPE_CHECKING:
    from typing import BinaryIO

    from typing_extensions import Buffer


class _Content(io.RawIOBase):
    """Reads on while it is read from."""

    def __init__(self, content: _native.BlockingAttachmentContent) -> None:
        self._content, self._here = content, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        if not self._here:
            self._here = memoryview(self._content.next() or b"")
        into = memoryview(buffer).cast("B")
        size = min(len(into), len(self._here))
        into[:size] = self._here[:size]
        self._here = self._here[size:]
        return size


def content_file(content: _native.BlockingAttachmentContent) -> BinaryIO:
    """What `attachment` or `mime` of a `BlockingEngine` gave as a file object opened for bytes, for whoever takes one, as
    `shutil.copyfileobj` does. It is read from the mailbox while it is read from, so it cannot seek. After an error the next read goes on where it broke off. Errors: those of `AttachmentContent.next`."""
    return io.BufferedReader(_Content(content), 1 << 20)
