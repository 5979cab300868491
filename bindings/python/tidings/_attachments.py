"""Attachments of any size from files, bytes and streams."""

# What only those need who ask for it is imported in the functions: `import tidings` stays quick.
from __future__ import annotations

from typing import TYPE_CHECKING

from . import _native

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
    from typing import IO, Any

# Bytes handed over at a time.
_PIECE = 1 << 20


async def attachment_from(
    engine: _native.Engine,
    account_id: str,
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Iterable[bytes] | AsyncIterable[bytes],
    *,
    name: str | None = None,
    content_type: str | None = None,
    size: int | None = None,
    content_id: str | None = None,
) -> _native.FileAttachment:
    """An attachment of up to 150 MB for drafts of this account, from a path, bytes, a file object opened for bytes, or an iterator of bytes, asynchronous
    or not. It is read in pieces, and sealed and durable when this returns; `stage_attachment` says how long. `name` and `content_type` follow from the path
    or from the name of the file object; with `size`, another count of bytes is an error. When the source fails or the call is cancelled, that is
    raised as it is and nothing of the content is left. Errors: as `stage_attachment` and the methods of `AttachmentWriter`."""
    import asyncio

    opened, source, name, size = _opened(source, name, size)
    try:
        writer = await engine.stage_attachment(account_id, _called(source, name), content_type or _type_of(_called(source, name)), size, content_id)
        try:
            async for piece in _pieces(source):
                await writer.write(piece)
            return await writer.finish()
        except BaseException:
            await asyncio.shield(writer.abort())
            raise
    finally:
        if opened:
            opened.close()


def blocking_attachment_from(
    engine: _native.BlockingEngine,
    account_id: str,
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Iterable[bytes],
    *,
    name: str | None = None,
    content_type: str | None = None,
    size: int | None = None,
    content_id: str | None = None,
) -> _native.FileAttachment:
    """`attachment_from` for a `BlockingEngine`."""
    opened, source, name, size = _opened(source, name, size)
    try:
        writer = engine.stage_attachment(account_id, _called(source, name), content_type or _type_of(_called(source, name)), size, content_id)
        try:
            for piece in _cut(source):
                writer.write(piece)
            return writer.finish()
        except BaseException:
            writer.abort()
            raise
    finally:
        if opened:
            opened.close()


def _opened(source: Any, name: str | None, size: int | None) -> tuple[IO[bytes] | None, Any, str | None, int | None]:
    """A path becomes its file, which is to be closed; what is known of the size is said."""
    import os

    if isinstance(source, (str, os.PathLike)):
        file = open(source, "rb")
        return file, file, name or os.path.basename(os.fspath(source)), os.fstat(file.fileno()).st_size if size is None else size
    if isinstance(source, (bytes, bytearray, memoryview)):
        return None, source, name, memoryview(source).nbytes if size is None else size
    return None, source, name, size


def _called(source: Any, name: str | None) -> str:
    import os

    if name is not None:
        return name
    of_file = getattr(source, "name", None)
    return os.path.basename(of_file) if isinstance(of_file, str) else ""


def _type_of(name: str) -> str:
    import mimetypes

    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _cut(source: Any) -> Iterator[bytes]:
    """In pieces that are small enough."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = [source]
    if hasattr(source, "read"):
        while piece := source.read(_PIECE):
            yield bytes(_bytes(piece))
        return
    for piece in source:
        whole = memoryview(_bytes(piece)).cast("B")
        for start in range(0, len(whole), _PIECE):
            yield bytes(whole[start : start + _PIECE])


async def _pieces(source: Any) -> AsyncIterator[bytes]:
    """The same; a file is read in a thread, so that the event loop goes on."""
    import asyncio

    if hasattr(source, "__aiter__"):
        async for piece in source:
            for part in _cut([piece]):
                yield part
        return
    if not hasattr(source, "read"):
        for piece in _cut(source):
            yield piece
        return
    while True:
        piece = await asyncio.to_thread(source.read, _PIECE)
        if not piece:
            return
        yield bytes(_bytes(piece))


def _bytes(piece: Any) -> bytes | bytearray | memoryview:
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return piece
    raise TypeError(f"The source of an attachment gives {type(piece).__name__}, not bytes. Open a file with mode 'rb'.")
