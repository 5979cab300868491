"""Contents of a mailbox: what is attached, and mails as MIME. `pieces`: read in a loop; `again`: so often after it broke off."""

import tidings


async def attachment(engine: tidings.Engine, given: dict):
    return await shown(await engine.attachment(given["message_id"], given["attachment_id"], given.get("owner")), given)


async def mime(engine: tidings.Engine, given: dict):
    return await shown(await engine.mime(given["message_id"], given.get("owner")), given)


async def shown(content: tidings.AttachmentContent, given: dict) -> dict:
    pieces, again = [], given.get("again", 0)
    while given.get("pieces"):
        try:
            async for piece in content:
                pieces.append(piece)
            break
        except tidings.UpstreamError:
            if again == 0:
                raise
            again -= 1
    if not given.get("pieces"):
        pieces.append(await content.body())
    whole = b"".join(pieces)
    block = bytes(range(251))
    return {
        "name": content.name(), "content_type": content.content_type(), "kind": content.kind(), "size": content.size(),
        "bytes": len(whole), "pieces": len(pieces), "longest": max(map(len, pieces), default=0),
        "is_pattern": whole == (block * (len(whole) // 251 + 1))[: len(whole)], "text": whole.decode("utf-8", "replace") if len(whole) <= 100_000 else "",
    }
