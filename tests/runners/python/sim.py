"""The simulator: one process for the whole run, and its control endpoints."""

import asyncio
import json
import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

# The simulator is on this machine; a proxy of the environment is not for it.
WEB = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# So long, in real time, nobody waits for the clock before a second passes on it.
QUIET = 3
# How often is looked whether another process has moved the simulator's clock.
TICK = 0.1
# A wait up to this is a look at what others do, and that takes real time: a tenth of it passes. Without that, a lease would run out under a process that
# works as fast as a busy machine lets it.
LOOK_MS = 1000


class Sim:
    def __init__(self, control, urls=None):
        self.control, self.urls, self.process = control, urls, None

    @classmethod
    def start(cls, root: Path, language: str) -> "Sim":
        target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
        command = [os.environ.get("TIDINGS_SIM", str(target / "debug/m365-sim")), "--with-parent"]
        if "RECORD" in os.environ:
            command += ["--record", str(root / f"target/exchanges-{language}.jsonl")]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        urls = json.loads(process.stdout.readline())
        sim = cls(urls["control"], urls)
        sim.process = process  # it ends when our end of its standard input closes
        return sim

    async def ask(self, path: str, body=None, method=None):
        """POST with a body, GET without."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.control}/{path}", data, {"content-type": "application/json"}, method=method)
        try:
            text = await asyncio.to_thread(lambda: WEB.open(request, timeout=60).read().decode())
        except urllib.error.HTTPError as e:
            raise RuntimeError(f"simulator, {path}: {e.code} {e.read().decode()}") from None
        try:
            return json.loads(text)
        except ValueError:
            return text

    async def clear_faults(self):
        await self.ask("faults", method="DELETE")

    async def browse(self, url: str):
        """Fetches an address as a browser would."""
        try:
            return {"status": await asyncio.to_thread(lambda: WEB.open(url, timeout=60).status)}
        except urllib.error.HTTPError as e:
            return {"status": e.code}

    async def now(self, advance_ms=0) -> int:
        return (await self.ask("clock", {"advance_ms": advance_ms}))["now_ms"]

    async def catch_up(self, clock):
        """The simulator's clock is the truth; the engine's follows it, whoever moved it."""
        clock.advance(max(0, await self.now() - clock.now_ms()))

    async def follow(self, clock):
        """Whenever the engine waits, moves both clocks to where it waits for. Where nobody does for long, a second passes: an engine that waits for
        what another process does looks again after a while."""
        quiet = 0
        while True:
            try:
                wait = await asyncio.wait_for(clock.next_wait(), TICK)
            except asyncio.TimeoutError:
                if quiet < QUIET:
                    quiet += TICK
                    await self.catch_up(clock)
                    continue
                wait = 1000
            quiet = 0
            wake = clock.now_ms() + wait
            if wait <= LOOK_MS:
                await asyncio.sleep(wait / 10_000)
            now = await self.now()
            if wake > now:
                await self.now(wake - now)
            await self.catch_up(clock)
