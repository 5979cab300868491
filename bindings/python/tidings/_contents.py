"""Contents of a mailbox as file objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _native

if TYPE_CHECKING:
    from typing import BinaryIO


def content_file(content: _native.BlockingAttachmentContent) -> BinaryIO:
    """What `attachment` or `mime` of a `BlockingEngine` gave as a file object opened for bytes, for whoever takes one, as
    `shutil.copyfileobj` does. It is read from the mailbox while it is read from, so it cannot seek. After an error the next read goes on where it broke off. Errors: those of `AttachmentContent.next`."""
    import io

    class Content(io.RawIOBase):
        def __init__(self) -> None:
            self.here = memoryview(b"")

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            if not self.here:
                self.here = memoryview(content.next() or b"")
            size = min(len(buffer), len(self.here))
            buffer[:size] = self.here[:size]
            self.here = self.here[size:]
            return size

    return io.BufferedReader(Content(), 1 << 20)
