"""Runs the scenarios through the Python interface. `runner.py [FILE…]`; `--child` is the second process of a scenario."""

import asyncio
import json
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "bindings/python"))

import stage  # noqa: E402  (after the path is set)
import steps  # noqa: E402
from logs import Logs  # noqa: E402
from sim import Sim  # noqa: E402

# Longest a scenario may take, in seconds, so that one that hangs does not stall the rest.
LIMIT = 600


async def main(named: list[str]) -> int:
    sim, logs = Sim.start(ROOT, "python"), Logs()
    results = []
    for file in files(named):
        scenario = tomllib.loads(file.read_text())
        started = time.monotonic()
        result = {"file": file.stem, "name": scenario["name"], "proves": scenario["proves"], "outcome": "passed"}
        try:
            await asyncio.wait_for(steps.run(sim, logs, scenario), LIMIT)
        except asyncio.TimeoutError:
            result |= {"outcome": "failed", "reason": f"did not end within {LIMIT} s"}
        except Exception as e:  # a defect of one scenario or of the engine must not stop the rest
            result |= {"outcome": "failed", "reason": str(e) if isinstance(e, steps.Failed) else repr(e)}
        result["ms"] = round((time.monotonic() - started) * 1000)
        results.append(result)
        if result["outcome"] == "passed":
            print(f"passed  {file.stem}  ({result['ms']} ms)", flush=True)
        else:
            print(f"FAILED  {file.stem}  ({result['ms']} ms)\n        {result['reason']}", flush=True)
    (ROOT / "target").mkdir(exist_ok=True)
    (ROOT / "target/results-python.json").write_text(json.dumps({"language": "python", "scenarios": results}))
    failed = sum(r["outcome"] == "failed" for r in results)
    print(f"python: {len(results) - failed} passed, {failed} failed")
    return int(failed > 0)


def files(named: list[str]) -> list[Path]:
    """Those named on the command line (by path or by bare name), or all."""
    folder = ROOT / "tests/scenarios"
    if named:
        return [Path(n) if n.endswith(".toml") else folder / f"{n}.toml" for n in named]
    return sorted(folder.glob("*.toml"))


if __name__ == "__main__":
    if "--child" in sys.argv:
        asyncio.run(stage.serve(json.load(sys.stdin)))
    else:
        sys.exit(asyncio.run(main(sys.argv[1:])))
