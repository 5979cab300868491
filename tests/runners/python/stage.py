"""What stands on the stage while a scenario runs: store, key, clock, engines, and the second process."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import tidings
import values
from sim import Sim

FINAL = {"sent", "unknown", "failed", "cancelled"}


class Stage:
    def __init__(self, sim: Sim, scenario: dict):
        self.sim, self.folder = sim, tempfile.TemporaryDirectory()
        self.store = Path(self.folder.name) / "store"
        self.key = self.right_key = tidings.generate_root_key()
        urls = sim.urls
        self.settings = {
            "data_dir": str(self.store), "client_id": urls["client_id"],
            "cloud": {"custom": {"login": urls["login"], "graph": urls["graph"]}},
        } | scenario.get("engine", {})
        self.clock, self.mover, self.players = None, None, {}

    @classmethod
    async def set(cls, sim: Sim, scenario: dict) -> "Stage":
        time = scenario.get("clock", "2026-01-15T09:00:00Z")
        await sim.ask("reset", {"clock": time})
        await sim.ask("record", {"on": True})  # to know the tokens that may not be found on disk
        stage = cls(sim, scenario)
        if time != "wall":
            stage.clock = tidings.TestClock(await sim.now())
            stage.mover = asyncio.create_task(sim.follow(stage.clock))
        return stage

    def open(self, name: str, given: dict):
        """Opens an engine; `given` changes settings for this one time, `root_key` among them."""
        key = given["root_key"].encode() if "root_key" in given else self.key
        self.players[name] = Player(self.settings | given, key, self.clock)

    def player(self, name: str) -> "Player":
        if name not in self.players and name != "first":
            self.open(name, {})
        return self.players[name]

    def damage(self, how: str):
        if how == "root_key":
            self.key = tidings.generate_root_key()
        elif how == "right_key":
            self.key = self.right_key
        else:
            main = max((f for f in self.files() if not f.name.endswith(("-wal", "-shm"))), key=lambda f: f.stat().st_size)
            data = bytearray(main.read_bytes())
            if how == "flip_page":
                data[len(data) // 4 : len(data) * 3 // 4] = bytes(b ^ 255 for b in data[len(data) // 4 : len(data) * 3 // 4])
            else:
                del data[len(data) // 2 :]
            main.write_bytes(data)

    def check_disk(self, secrets):
        """None of these may stand in any file of the store."""
        for file in self.files():
            data = file.read_bytes()
            for secret in secrets:
                if secret and secret in data:
                    raise RuntimeError(f"{file.name} holds {secret!r} in the clear")

    async def child(self, verb: str, given: dict, kill_at: str | None):
        """A second process of this language on the same store. With `kill_at` it is killed when that fault is reached."""
        order = {
            "control": self.sim.control, "settings": self.settings, "key": self.key.hex(),
            "now_ms": self.clock and self.clock.now_ms(), "verb": verb, "with": given,
        }
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, Path(__file__).with_name("runner.py"), "--child", stdin=pipe, stdout=pipe)
        process.stdin.write(json.dumps(order).encode())
        process.stdin.write_eof()
        try:
            if kill_at:
                await self.sim.ask("faults/reached", {"name": kill_at})
                process.kill()
                await process.wait()
                return None
            said = json.loads((await process.communicate())[0])
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

    def files(self):
        return [f for f in self.store.iterdir() if f.is_file()] if self.store.exists() else []


class Refused(Exception):
    """A call failed; the error as a record."""

    def __init__(self, record: dict):
        super().__init__(json.dumps(record, ensure_ascii=False))
        self.record = record


class Player:
    """An engine and the stream that was opened with it."""

    def __init__(self, settings: dict, key: bytes, clock):
        config, key = values.config(settings), tidings.RootKey.raw(key)
        self.engine = tidings.Engine.open_with_clock(config, key, clock) if clock else tidings.Engine.open(config, key)
        self.events = self.engine.events()

    async def call(self, verb: str, given: dict):
        engine = self.engine
        if verb in ("send", "enqueue"):
            outcome = await getattr(engine, verb)(values.draft(given))
        elif verb == "changes":
            outcome = await engine.changes(given.get("cursor")).ready(given.get("limit", 1000))
        elif verb == "events":
            outcome = await self.events_until(given["until"])
        elif verb == "settled":
            outcome = await self.settled(given["receipt_id"])
        else:
            outcome = await getattr(engine, verb)(**given)
        return values.canonical(outcome)

    async def events_until(self, until: str):
        """Types of the events up to the one named."""
        types = []
        async for event in self.events:
            types.append(next(iter(values.canonical(event))))
            if types[-1] == until:
                return types
        raise RuntimeError(f"the stream ended before {until}; saw {types}")

    async def settled(self, receipt_id: str):
        """Waits for the receipt's end along the change feed, which rings for every change of it."""
        feed = self.engine.changes()
        while (receipt := await self.engine.receipt(receipt_id)).state.value not in FINAL:
            await feed.next(1000)
        return receipt


async def serve(order: dict):
    """The second process of a scenario: one verb on the store it is told, then the end."""
    sim = Sim(order["control"])
    clock = order["now_ms"] and tidings.TestClock(order["now_ms"])
    mover = asyncio.create_task(sim.follow(clock)) if clock else None
    try:
        player = Player(order["settings"], bytes.fromhex(order["key"]), clock)
        said = {"ok": await player.call(order["verb"], order["with"])}
        await player.engine.close()
    except tidings.TidingsError as e:
        said = {"error": values.error(e)}
    if mover:
        mover.cancel()
    print(json.dumps(said))
