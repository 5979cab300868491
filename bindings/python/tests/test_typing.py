"""The stub tells the truth, and mypy can use it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
PACKAGE = Path(__file__).parents[1]


def mypy(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=PACKAGE, env={**os.environ, "MYPYPATH": str(PACKAGE)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stub_matches_the_module():
    mypy("mypy.stubtest", "tidings")


def test_strict_typing():
    mypy("mypy", "--strict", "tidings", "tests/typed.py")
