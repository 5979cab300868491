"""A root key that is kept in a file: the same at every start, whoever comes first."""

import subprocess
import sys
from pathlib import Path

import pytest

import tidings
from conftest import NOWHERE

STARTS = f"""
import sys, tidings
config = tidings.Config(sys.argv[1] + "/store", "00000000-0000-0000-0000-000000000000", tidings.Cloud.Custom({NOWHERE!r}, {NOWHERE!r}))
with tidings.BlockingEngine.open(config, tidings.load_or_create_key(sys.argv[1] + "/keys/tidings.key")) as engine: print(len(engine.accounts().items))
"""


def test_the_second_start_has_the_same_key(tmp_path: Path, config: tidings.Config) -> None:
    path = tmp_path / "keys" / "tidings.key"
    for key in (path, str(path), path):
        with tidings.BlockingEngine.open(config, tidings.load_or_create_key(key)) as engine:
            assert engine.accounts().items == []
    with pytest.raises(tidings.WrongKeyError):
        tidings.BlockingEngine.open(config, tidings.load_or_create_key(tmp_path / "other.key"))
    assert [file.name for file in path.parent.iterdir()] == ["tidings.key"]
    if sys.platform != "win32":
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_processes_that_start_at_once_open_one_store(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTS, str(tmp_path)]
    started = [subprocess.Popen(command, cwd=tidings.__path__[0] + "/..", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for process in started:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "0\n"), err


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
def test_what_others_could_know_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tidings.key"
    tidings.load_or_create_key(path)
    path.chmod(0o644)
    with pytest.raises(tidings.VaultLockedError, match="chmod 600"):
        tidings.load_or_create_key(path)
    path.chmod(0o600)
    path.write_text("a password\n")
    with pytest.raises(tidings.VaultLockedError, match="no root key"):
        tidings.load_or_create_key(path)
    assert path.read_text() == "a password\n"
    link = tmp_path / "link"
    link.symlink_to(path)
    for bad in (link, tmp_path, ""):
        with pytest.raises(tidings.InvalidInputError):
            tidings.load_or_create_key(bad)
    with pytest.raises(TypeError):
        tidings.load_or_create_key(7)  # type: ignore[arg-type]
