"""Engines that need no network: their cloud is a loopback port where nobody listens."""

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
