"""Engines that need no network: their cloud is a loopback port where nobody listens."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tidings  # noqa: E402

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def config(tmp_path: Path) -> tidings.Config:
    return tidings.Config(str(tmp_path / "store"), "00000000-0000-0000-0000-000000000000", tidings.Cloud.Custom(NOWHERE, NOWHERE))


@pytest.fixture
def engine(config: tidings.Config) -> tidings.Engine:
    return tidings.Engine.open(config, tidings.generate_root_key())


@pytest.fixture
def blocking(config: tidings.Config) -> tidings.BlockingEngine:
    return tidings.BlockingEngine.open(config, tidings.generate_root_key())


OPEN = f"""
import sys, tidings
config = tidings.Config(sys.argv[1], "00000000-0000-0000-0000-000000000000", tidings.Cloud.Custom({NOWHERE!r}, {NOWHERE!r}))
engine = tidings.Engine.open(config, tidings.generate_root_key())
"""


def run(code: str, folder: Path, *, python: str = sys.executable, wanted: int = 0, opens: str = OPEN) -> str:
    """What `code` writes, in which `engine` is open, in a process of its own."""
    done = subprocess.run([python, "-c", opens + code, str(folder)], cwd=tidings.__path__[0] + "/..", timeout=120, capture_output=True, text=True)
    assert done.returncode == wanted, (done.returncode, done.stderr)
    return done.stdout
