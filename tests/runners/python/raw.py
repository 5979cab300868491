"""Requests of a host's own: answers as a status, headers and text, lists as the pages that a loop over them gives."""

import json

import tidings


async def request(engine: tidings.Engine, given: dict):
    response = await engine.request(given["account_id"], asked(given["request"]), owner=given.get("owner"))
    head = {"status": response.status(), "headers": response.headers(), "request_id": response.request_id()}
    if not given.get("pieces"):
        return head | body_of(await response.body())
    sizes = [len(piece) async for piece in response]
    return head | {"pieces": len(sizes), "bytes": sum(sizes), "longest": max(sizes, default=0)}


async def batch(engine: tidings.Engine, given: dict):
    outcomes = await engine.batch(given["account_id"], [asked(one) for one in given["requests"]], owner=given.get("owner"))
    return [shown(outcome) for outcome in outcomes]


async def pages(engine: tidings.Engine, given: dict):
    found = []
    async for page in engine.pages(given["account_id"], asked(given["request"]), owner=given.get("owner")):
        items = [json.loads(item) for item in page.items]
        found.append({"items": items, "envelope": json.loads(page.envelope), "next_link": page.next_link, "delta_link": page.delta_link})
        if len(found) == given.get("most"):
            break
    return found


def asked(given) -> tidings.RawRequest:
    if "body" in given:  # a scenario writes bytes as text
        given = given | {"body": given["body"].encode()}
    return tidings.RawRequest(**given)


def shown(outcome: tidings.RawOutcome) -> dict:
    head = {
        "status": outcome.status, "headers": outcome.headers, "request_id": outcome.request_id,
        "error_kind": outcome.error_kind and outcome.error_kind.value, "error": outcome.error, "retry_after_ms": outcome.retry_after_ms,
    }
    return head | body_of(outcome.body)


def body_of(body: bytes) -> dict:
    """As text, and as JSON where it is some."""
    text = body.decode("utf-8", "replace")
    try:
        return {"body": text, "json": json.loads(text)}
    except ValueError:
        return {"body": text, "json": None}
