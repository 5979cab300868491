"""What the engines log while the scenarios run."""

import asyncio
import json
import os
from pathlib import Path

import tidings
import values
from matching import short

# Records come through a stream of their own, a moment after the call that caused them; this long a silence means that all are there.
SILENCE = 0.02


class Logs:
    """The records since the scenario began; or why there are none to be had."""

    def __init__(self):
        self.records, self.refused, self.reader = [], None, None
        try:
            stream = tidings.logs("trace")
        except tidings.TidingsError as e:
            self.refused = e
        else:
            self.reader = asyncio.create_task(self.read(stream))

    async def read(self, stream):
        async for record in stream:
            self.records.append(values.canonical(record))

    async def begin(self):
        """A new scenario begins."""
        if not self.refused:
            await self.all()
        self.records.clear()

    async def all(self) -> list:
        if self.refused:
            raise self.refused
        before = -1
        while before != len(self.records):
            before = len(self.records)
            await asyncio.sleep(SILENCE)
        return list(self.records)

    async def check(self, secrets):
        """None of these may stand in any record."""
        records = [] if self.refused else await self.all()
        if folder := os.environ.get("TIDINGS_EVIDENCE"):  # for the search of the whole run
            with open(Path(folder) / "logs-python.jsonl", "a") as file:
                file.writelines(json.dumps(record) + "\n" for record in records)
        for record in records:
            texts = [record["message"], record["target"], *(text for field in record["fields"] for text in field.values())]
            for text in (text.encode() for text in texts):
                if found := next((s for s in secrets if s and s in text), None):
                    raise RuntimeError(f"a log record holds {found!r}: {short(record)}")
