"""What Microsoft posts: handed to `receive` as a host's route would hand it on."""

import tidings
from sim import Sim


async def receive(engine: tidings.Engine, given: dict) -> dict:
    """A request as a scenario writes it, its body as text."""
    names = ("method", "path", "query", "headers")
    request = {name: given[name] for name in names if name in given} | {"body": given.get("body", "").encode()}
    answer = await engine.receive(tidings.HttpRequest(**request))
    return {"status": answer.status, "headers": answer.headers, "body": answer.body.decode()}


async def deliver(engine: tidings.Engine, sim: Sim, given: dict) -> dict:
    """Every post that waits at the simulator, the question to a new subscription among them; `wait = false`: also when there is none."""
    taken = await sim.ask("notifications/take", {"wait": given.get("wait", True)})
    statuses = []
    for post in taken["posts"]:
        answer = await receive(engine, post)
        told = {"id": post["id"], "status": answer["status"], "content_type": answer["headers"].get("content-type", ""), "body": answer["body"]}
        await sim.ask("notifications/answer", told)
        statuses.append(answer["status"])
    return {"posts": len(statuses), "statuses": statuses}
