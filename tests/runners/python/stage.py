"""What stands on the stage while a scenario runs: store, key, clock, engines, and the second process."""

import asyncio
import io
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import apps
import content
import posts
import raw
import tidings
import values
from sim import Sim

FINAL = {"sent", "unknown", "failed", "cancelled"}


class Stage:
    def __init__(self, sim: Sim, known: dict, scenario: dict):
        self.sim, self.folder = sim, tempfile.TemporaryDirectory()
        self.store = Path(self.folder.name) / "store"
        self.key = self.right_key = tidings.generate_root_key()
        urls = sim.urls
        self.settings = {
            "data_dir": str(self.store), "client_id": urls["client_id"],
            "cloud": {"custom": {"login": urls["login"], "graph": urls["graph"]}},
        }
        known["data_dir"] = str(self.store)
        self.settings |= values.fill(scenario.get("engine", {}), known)
        # Texts that may stand nowhere: keys, passphrases, client secrets.
        self.secrets = [self.key, self.key.hex().encode(), *values.secrets(self.settings)]
        self.clock, self.mover, self.players = None, None, {}

    @classmethod
    async def set(cls, sim: Sim, known: dict, scenario: dict) -> "Stage":
        """`known` are the values that the settings of the file may name; `data_dir` comes to them."""
        time = scenario.get("clock", "2026-01-15T09:00:00Z")
        await sim.ask("reset", {"clock": time})
        await sim.ask("record", {"on": True})  # to know the tokens that may not be found on disk
        stage = cls(sim, known, scenario)
        if time != "wall":
            stage.clock = tidings.TestClock(await sim.now())
            stage.mover = asyncio.create_task(sim.follow(stage.clock))
        return stage

    def open(self, name: str, given: dict):
        """Opens an engine; `given` changes settings for this one time, the key among them."""
        self.secrets += values.secrets(given)
        self.players[name] = Player.on_stage(self.settings | given, self.key, self.clock)

    def open_file(self, given: dict):
        """Writes the file beside the store, sets the variables it names, and opens the first engine with it."""
        file = self.store.with_name("tidings.toml")
        file.write_text(given["toml"])
        os.environ.update(given.get("env", {}))
        self.players["first"] = Player(tidings.Engine.open(file, self.key))

    def wrapped_root_key(self):
        wrapped = tidings.wrapped_root_key(str(self.store))
        return wrapped and wrapped.decode()

    def use_key(self, key: str):
        """A rotation has replaced the root key: engines are opened with this one from here on."""
        self.key = key.encode()
        self.secrets += [self.key, self.key.hex().encode()]

    def player(self, name: str) -> "Player":
        if name not in self.players and name != "first":
            self.open(name, {})
        return self.players[name]

    def damage(self, how):
        kept = self.store.with_name("kept")
        if how == "root_key":
            self.key = tidings.generate_root_key()
        elif how == "right_key":
            self.key = self.right_key
        elif how == "keep":
            copy(self.store, kept)
        elif how == "restore":
            copy(kept, self.store)
        elif "restore" in how:
            shutil.copyfile(kept / how["restore"], self.store / how["restore"])
        else:
            main = max((f for f in self.files() if not f.name.endswith(("-wal", "-shm"))), key=lambda f: f.stat().st_size)
            data = bytearray(main.read_bytes())
            if how == "flip_page":
                data[len(data) // 4 : len(data) * 3 // 4] = bytes(b ^ 255 for b in data[len(data) // 4 : len(data) * 3 // 4])
            elif how == "truncate":
                del data[len(data) // 2 :]
            else:
                old, new = (text.encode() for text in how["replace"])
                if old not in data or len(old) != len(new):
                    raise RuntimeError("the main file does not hold that text, or the texts differ in length")
                data = data.replace(old, new)
            main.write_bytes(data)

    def check_disk(self, secrets):
        """None of these may stand in any file of the store."""
        for file in self.files():
            data = file.read_bytes()
            for secret in secrets:
                if secret and secret in data:
                    raise RuntimeError(f"{file.name} holds {secret!r} in the clear")

    async def child(self, verb: str, given: dict, kill_at: str | None, kill_after_ms: int | None, still: bool, opened: asyncio.Event):
        """A second process of this language on the same store, killed when that fault is reached, or so long after it opened the store.
        `opened` is set when it has the store open, or has ended."""
        order = {
            "control": self.sim.control, "settings": self.settings, "key": self.key.hex(),
            "now_ms": self.clock and self.clock.now_ms(), "verb": verb, "with": given, "stays": bool(kill_at), "still": still,
        }
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, Path(__file__).with_name("runner.py"), "--child", stdin=pipe, stdout=pipe)
        process.stdin.write(json.dumps(order).encode())
        process.stdin.write_eof()
        try:
            first = await process.stdout.readline()
            opened.set()
            if kill_at or kill_after_ms is not None:
                if kill_at:
                    await self.sim.ask("faults/reached", {"name": kill_at})
                else:
                    await asyncio.sleep(kill_after_ms / 1000)
                process.kill()
                await process.wait()
                return None
            said = json.loads((first + (await process.communicate())[0]).splitlines()[-1])
        finally:
            if self.clock:
                await self.sim.catch_up(self.clock)
        if "error" in said:
            raise Refused(said["error"])
        return said["ok"]

    async def clear(self):
        """Everything off the stage; engines end as a host would end them."""
        for player in self.players.values():
            await player.engine.close()
        if self.mover:
            self.mover.cancel()
        if (evidence := os.environ.get("TIDINGS_EVIDENCE")) and self.store.exists():  # for the search of the whole run
            copy(self.store, Path(evidence) / f"python-{Path(self.folder.name).name}")

    def files(self):
        return [f for f in self.store.iterdir() if f.is_file()] if self.store.exists() else []


def copy(source: Path, to: Path):
    """Everything of one folder to another, which holds nothing else afterwards."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(source, to)


class Refused(Exception):
    """A call failed; the error as a record."""

    def __init__(self, record: dict):
        super().__init__(json.dumps(record, ensure_ascii=False))
        self.record = record


class Player:
    """An engine, the stream of everybody's events that was opened with it, and those of the owners that a scenario names."""

    def __init__(self, engine: tidings.Engine):
        self.engine, self.events = engine, {None: engine.events()}

    @classmethod
    def on_stage(cls, settings: dict, key: bytes, clock) -> "Player":
        config, key = values.config(settings), values.root_key(settings, key)
        return cls(tidings.Engine.open_with_clock(config, key, clock) if clock else tidings.Engine.open(config, key))

    async def call(self, verb: str, given: dict):
        engine = self.engine
        given = given | {name: values.time(given[name]) for name in ("received_after", "received_before", "starting", "ending") if name in given}
        if "options" in given:
            given = given | {"options": tidings.BodyOptions(**given["options"])}
        if "target" in given:
            given = given | {"target": values.endpoint_target(given["target"])}
        if isinstance(given.get("endpoint"), dict):
            given = given | {"endpoint": tidings.SubscriberLink(**given["endpoint"])}
        if verb == "change_endpoint":
            change = given["change"]
            change = change | ({"target": values.endpoint_target(change["target"])} if "target" in change else {})
            outcome = await engine.change_endpoint(given["endpoint_id"], tidings.EndpointChange(**change), given.get("owner"))
        elif verb in ("send", "enqueue", "preview"):
            outcome = await getattr(engine, verb)(values.draft(given))
        elif verb == "attachment_from":
            outcome = await attachment_from(engine, **given)
        elif verb in ("edit", "edit_sent"):
            outcome = await getattr(engine, verb)(given["receipt_id"], values.draft(given["draft"]), given.get("owner"))
        elif verb == "set_signature":
            outcome = await engine.set_signature(given["account_id"], values.signature(given.get("signature")), given.get("owner"))
        elif verb == "enqueue_all":
            outcome = await engine.enqueue_all([values.draft(draft) for draft in given["drafts"]])
        elif verb == "start":
            outcome = engine.start()
        elif verb == "metrics":
            outcome = engine.metrics()
        elif verb == "audit":
            outcome = await engine.audit(given.get("limit", 1000), given.get("cursor"), given.get("owner"))
        elif verb == "trim_audit":
            outcome = await engine.trim_audit(tidings.AuditHead(**given["exported"]))
        elif verb == "verify_audit":
            expected = given.get("expected")
            outcome = await engine.verify_audit(expected and tidings.AuditHead(**expected), given.get("owner"))
        elif verb == "verify":
            outcome = await engine.verify(given["account_id"], given.get("test_message", False), given.get("owner"))
        elif verb == "rotate_keys" and "new_root_key" in given:
            outcome = await engine.rotate_keys(**given | {"new_root_key": given["new_root_key"].encode()})
        elif verb == "changes":
            query = {name: value for name, value in given.items() if name != "limit"}
            outcome = await engine.changes(**query).ready(given.get("limit", 1000))
        elif verb == "events":
            outcome = await self.events_until(given.get("owner"), given.get("until"))
        elif verb in ("request", "batch", "pages"):
            outcome = await getattr(raw, verb)(engine, given)
        elif verb in ("attachment", "mime"):
            outcome = await getattr(content, verb)(engine, given)
        elif verb == "app_package":
            outcome = await apps.app_package(engine, given)
        elif verb == "flag":
            outcome = await engine.flag(**given | {"due_at": values.time(given.get("due_at"))})
        elif verb == "receive":
            outcome = await posts.receive(engine, given)
        elif verb == "settled":
            outcome = await self.settled(given["receipt_id"])
        else:
            outcome = await getattr(engine, verb)(**given)
        return values.canonical(outcome)

    async def events_until(self, owner: str | None, until: str | None):
        """Types of the events up to the one named; none when none is named."""
        types = []
        if owner not in self.events:
            self.events[owner] = self.engine.events(owner)
        if until is None:
            return types
        async for event in self.events[owner]:
            types.append(next(iter(values.canonical(event))))
            if types[-1] == until:
                return types
        raise RuntimeError(f"the stream ended before {until}; saw {types}")

    async def settled(self, receipt_id: str):
        """Waits for the receipt's end along the change feed, which rings for every change of it."""
        feed = self.engine.changes(account_id=(await self.engine.receipt(receipt_id)).account_id)
        while (receipt := await self.engine.receipt(receipt_id)).state.value not in FINAL:
            await feed.next(1000)
        return receipt


async def attachment_from(engine: tidings.Engine, account_id: str, bytes: int, source: str = "async", fails: int | None = None, stops: int | None = None, **options):
    """An attachment of so many bytes, each its place modulo 251. The source `fails` or is given up, `stops`, after so many of them."""
    task = asyncio.current_task()

    def pieces():
        for start in range(0, bytes, 1_000_000):
            if fails is not None and start >= fails:
                raise OSError("the source failed")
            if stops is not None and start >= stops:
                task.cancel()
            yield pattern(start, min(start + 1_000_000, bytes))

    async def flow():
        for piece in pieces():
            yield piece

    options = {"name": "big.bin"} | options
    try:
        if source == "path":
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / options.pop("name")
                file.write_bytes(b"".join(pieces()))
                return await tidings.attachment_from(engine, account_id, file, **options)
        made = {"bytes": lambda: b"".join(pieces()), "file": lambda: io.BytesIO(b"".join(pieces())), "iterator": pieces, "async": flow}[source]()
        return await tidings.attachment_from(engine, account_id, made, **options)
    except OSError:
        return {"stream": "failed"}
    except asyncio.CancelledError:
        task.uncancel()
        return {"stream": "cancelled"}


def pattern(start: int, end: int) -> bytes:
    block = bytearray(range(251))
    return bytes((block * ((end - start) // 251 + 2))[start % 251 : start % 251 + end - start])


async def serve(order: dict):
    """The second process of a scenario: one verb on the store it is told, then the end."""
    sim = Sim(order["control"])
    clock = order["now_ms"] and tidings.TestClock(order["now_ms"])
    mover = asyncio.create_task(sim.follow(clock)) if clock and not order["still"] else None
    try:
        player = Player.on_stage(order["settings"], bytes.fromhex(order["key"]), clock)
        print("opened", flush=True)
        said = {"ok": await player.call(order["verb"], order["with"])}
        if order["stays"]:
            # What goes on in the background is what it is killed in. Long enough for whoever kills it; not for ever, should that one be gone.
            await asyncio.sleep(150)
        await player.engine.close()
    except tidings.TidingsError as e:
        said = {"error": values.error(e)}
    if mover:
        mover.cancel()
    print(json.dumps(said))
