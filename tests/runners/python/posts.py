"""What Microsoft posts: handed to `receive` as a host's route would hand it on."""

import asyncio

import tidings
import values
from sim import Sim


async def receive(engine: tidings.Engine, given: dict) -> dict:
    """A request as a scenario writes it, its body as text."""
    names = ("method", "path", "query", "headers")
    request = {name: given[name] for name in names if name in given} | {"body": given.get("body", "").encode()}
    answer = await engine.receive(tidings.HttpRequest(**request))
    return {"status": answer.status, "headers": answer.headers, "body": answer.body.decode()}


async def through(route: tidings.AsgiRoute, post: dict) -> dict:
    """The same through the route for web frameworks."""
    headers = [(name.encode(), value.encode()) for name, value in post["headers"].items()]
    scope = {"type": "http", "method": post["method"], "path": post["path"], "query_string": post["query"].encode(), "headers": headers}
    sent: list[dict] = []

    async def body() -> dict:
        return {"type": "http.request", "body": post["body"].encode()}

    async def send(message: dict) -> None:
        sent.append(message)

    await route(scope, body, send)
    shown = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return {"status": sent[0]["status"], "headers": shown, "body": sent[1]["body"].decode()}


async def handled(handler):
    """What the host of a scenario answers."""
    if handler == "throws":
        raise RuntimeError("the handler failed on purpose")
    if handler == "held":
        await asyncio.Event().wait()
    if isinstance(handler, str):
        return None
    [(variant, fields)] = handler.items()
    return getattr(tidings.BotAnswer, variant.title())(**fields)


async def deliver(engine: tidings.Engine, sim: Sim, given: dict) -> dict:
    """Every post that waits at the simulator, the question to a new subscription among them; `wait = false`: also when there is none."""
    taken = await sim.ask("notifications/take", {"wait": given.get("wait", True)})
    statuses, asked, failures = [], [], []

    async def on_invoke(invoke: tidings.BotInvoke):
        asked.append(values.canonical(invoke))
        return await handled(given["handler"])

    route = tidings.AsgiRoute(engine, on_invoke=on_invoke, timeout=given.get("limit_ms", 10_000) / 1000, on_error=lambda _, error: failures.append(str(error)))
    for post in taken["posts"]:
        answer = await (through(route, post) if "handler" in given else receive(engine, post))
        told = {"id": post["id"], "status": answer["status"], "content_type": answer["headers"].get("content-type", ""), "body": answer["body"]}
        await sim.ask("notifications/answer", told)
        statuses.append(answer["status"])
    outcome = {"posts": len(statuses), "statuses": statuses}
    return outcome | {"asked": asked, "failures": len(failures)} if "handler" in given else outcome
