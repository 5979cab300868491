"""One scenario, step by step."""

import asyncio
import json
import re
import time

import posts
import tidings
import values
from matching import mismatch, short
from stage import Refused, Stage

ACTIONS = ("sim", "do", "sign_in", "let", "cut", "join", "child", "browse", "check_disk", "damage")
TOKEN = re.compile(r'(?:access_token|refresh_token|id_token)\\?":\s*\\?"([^"\\]{16,})')


class Failed(Exception):
    """What went wrong, in words for the report."""


async def run(sim, logs, scenario: dict):
    await logs.begin()
    known = {key: sim.urls[key] for key in ("login", "graph", "stranger", "bot", "client_id")}
    for group in ("tls", "tls12"):
        known |= {f"{group}_{name}": value for name, value in sim.urls.get(group, {}).items()}
    stage, waiting, shown = await Stage.set(sim, known, scenario), {}, []
    try:
        await play(stage, logs, known, waiting, shown, scenario)
    finally:
        for task in waiting.values():
            task.cancel()
        await sim.clear_faults()  # nothing held may keep an engine from closing
        await stage.clear()
    ledger = await sim.ask("ledger", {})
    for accusation in ledger["accusations"]:
        if accusation["kind"] not in scenario.get("accusations", []):
            raise Failed(f"the simulator accuses: {short(accusation)}")
    exchanges = await sim.ask("exchanges")
    tokens = set(TOKEN.findall(exchanges if isinstance(exchanges, str) else short(exchanges)))
    secrets = [t.encode() for t in tokens] + stage.secrets
    if "canary" in known:
        secrets.append(known["canary"].encode())
    stage.check_disk(secrets)
    if scenario.get("never_shown"):
        # Nothing that came out, was logged or is stored repeats a secret that the simulator knows, in any encoding.
        texts = shown + [json.dumps(await logs.all())] + [file.read_bytes().decode("latin-1") for file in stage.files()]
        found = (await sim.ask("secrets/find", {"text": texts}))["found"]
        if found:
            raise Failed(f"shown or stored of a secret: {short(found)}")
    await logs.check(secrets)


async def play(stage: Stage, logs, known: dict, waiting: dict, shown: list, scenario: dict):
    if scenario.get("open", True):
        try:
            stage.open("first", {})
        except tidings.TidingsError as e:
            raise Failed(f"the engine did not open: {short(values.error(e))}") from None
    for number, step in enumerate(scenario["steps"], 1):
        try:
            # `expect` and `error` are filled in after the step, so that they may name what it saved.
            action = values.fill({k: v for k, v in step.items() if k not in ("expect", "error")}, known)
            outcomes = await settled(step, known, lambda: act(stage, logs, waiting, action))
            if {"do", "sign_in", "child", "join"} & step.keys():
                shown += [str(o) if isinstance(o, Refused) else json.dumps(o) for o in outcomes]
            if "rotate_keys" in (action.get("do"), action.get("child")) and not {"kill_at", "kill_after_ms", "background"} & action.keys():
                if "new_root_key" in action.get("with", {}) and not isinstance(outcomes[0], Refused):
                    stage.use_key(action["with"]["new_root_key"])
            if "save" in step:
                saved = [None if isinstance(o, Refused) else o for o in outcomes]
                known[step["save"]] = saved[0] if len(saved) == 1 else saved
            expect, error = values.fill([step.get("expect"), step.get("error")], known)
            what = next(filter(None, (judge(outcome, expect, error) for outcome in outcomes)), None)
        except (LookupError, RuntimeError, OSError) as e:
            what = str(e)
        if what:
            name = next(k for k in ACTIONS if k in step)
            raise Failed(f"step {number} ({name} {short(step[name])}): {what} {step.get('why', '')}")


async def settled(step: dict, known: dict, call) -> list:
    """The outcomes of a step; with `eventually` those that meet what is expected, or the last ones after 30 s."""
    until = time.monotonic() + 30
    while True:
        outcomes = await call()
        if not step.get("eventually") or time.monotonic() > until:
            return outcomes
        expect, error = values.fill([step.get("expect"), step.get("error")], known)
        if not any(judge(outcome, expect, error) for outcome in outcomes):
            return outcomes
        await asyncio.sleep(0.02)


async def act(stage: Stage, logs, waiting: dict, step: dict) -> list:
    """The one thing a step does: its outcome, or one for each of `times` calls."""
    given, on = step.get("with", {}), step.get("on", "first")
    if "join" in step:
        return await waiting.pop(step["join"])
    if "child" in step:
        opened = asyncio.Event()
        calls = [stage.child(step["child"], given, step.get("kill_at"), step.get("kill_after_ms"), step.get("still", False), opened)]
        if "background" in step:
            waiting[step["background"]] = asyncio.create_task(gather(calls))
            await opened.wait()
            return [None]
    elif step.get("do") == "logs":
        calls = [logs.all()]
    elif step.get("do") in ("connect_here", "connect_device"):
        try:
            sign_in = await getattr(stage.player(on).engine, step["do"])(**given)
        except tidings.TidingsError as e:
            return [Refused(values.error(e))]
        waiting[step["background"]] = asyncio.create_task(gather([later(sign_in)]))
        shown = ("url",) if step["do"] == "connect_here" else ("user_code", "verification_uri", "message", "expires_at")
        return [{name: values.canonical(getattr(sign_in, name)()) for name in shown}]
    elif "do" in step and step["do"] not in ("open", "open_file", "wrapped_root_key", "deliver"):
        calls = [stage.player(on).call(step["do"], given) for _ in range(step.get("times", 1))]
    else:
        calls = [simple(stage, step, given, on)]
    if "background" in step:
        waiting[step["background"]] = asyncio.create_task(gather(calls))
        return [None]
    return await gather(calls)


async def later(sign_in):
    return values.canonical(await sign_in.wait())


async def gather(calls) -> list:
    return await asyncio.gather(*map(caught, calls))


async def caught(call):
    """The outcome, a failure of the engine as a value."""
    try:
        return await call
    except tidings.TidingsError as e:
        return Refused(values.error(e))
    except Refused as refused:
        return refused


async def simple(stage: Stage, step: dict, given: dict, on: str):
    """Whatever is done once and at once."""
    sim = stage.sim
    if "sim" in step:
        if step["sim"] == "faults" and "with" not in step:
            return await sim.clear_faults()
        answer = await sim.ask(step["sim"], step.get("with"))
        if step["sim"] == "clock" and stage.clock:
            await sim.catch_up(stage.clock)
        return answer
    if "browse" in step:
        return await sim.browse(step["browse"])
    if "let" in step:
        return step["let"]
    if "cut" in step:
        found = re.search(step["by"], step["cut"])
        if not found:
            raise RuntimeError("nothing to cut out")
        return found[1]
    if "damage" in step:
        return stage.damage(step["damage"])
    if "check_disk" in step:
        return stage.check_disk([text.encode() for text in step["check_disk"]])
    if "sign_in" in step:
        return await sign_in(stage, dict(step["sign_in"]))
    if step["do"] == "open_file":
        return stage.open_file(given)
    if step["do"] == "wrapped_root_key":
        return stage.wrapped_root_key()
    if step["do"] == "deliver":
        return await posts.deliver(stage.player(on).engine, stage.sim, given)
    return stage.open(on, given)


async def sign_in(stage: Stage, request: dict):
    """connect, the simulator's sign-in page, finish_connect."""
    person, player = request.pop("as"), stage.player("first")
    if request.pop("organisation", False):
        return await connect_organisation(stage, player, person, request)
    usual = {"owner": "owner-1", "features": ["chat", "mail_send", "mail_sync"], "redirect_uri": "http://localhost/callback"}
    started = await player.call("connect", usual | request)
    page = await stage.sim.ask("signin", {"url": started["url"], "as": person})
    return await player.call("finish_connect", {"callback_url": page["location"], "binding": started["binding"]})


async def connect_organisation(stage: Stage, player, person: str, request: dict):
    """connect_tenant, the sign-in page, approval, the page for administrators."""
    redirect = "http://localhost/callback"
    started = await player.call("connect_tenant", {"owner": "owner-1", "redirect_uri": redirect} | request)
    for part in ("who", "approval"):
        page = await stage.sim.ask("signin", {"url": started["url"], "as": person})
        account = await player.call("finish_connect", {"callback_url": page["location"], "binding": started["binding"]})
        if part == "approval" or account["state"] == "connected":
            return account
        started = await player.call("approval", {"account_id": account["id"], "redirect_uri": redirect})


def judge(outcome, expect, error):
    """What is wrong with an outcome."""
    if isinstance(outcome, Refused):
        return mismatch(error, outcome.record, "error") if error else f"failed: {outcome}"
    if error:
        return f"expected error {short(error)}, saw {short(outcome)}"
    return None if expect is None else mismatch(expect, outcome)
