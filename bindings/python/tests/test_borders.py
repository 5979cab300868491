"""Processes, forks, threads and interpreters: nothing hangs, and what cannot be says so."""

import copy
import multiprocessing
import os
import pickle
import sys
from pathlib import Path

import pytest

import tidings
from conftest import NOWHERE, OPEN, run

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

BLOCKING = OPEN.replace("tidings.Engine.open", "tidings.BlockingEngine.open")
# Calls and loops that never end by themselves.
BUSY = """
import threading, time
def calls():
    try:
        while True: engine.accounts()
    except tidings.ClosedError: pass
busy = [threading.Thread(target=calls, daemon=True), threading.Thread(target=lambda: list(engine.events()), daemon=True), threading.Thread(target=lambda: list(engine.changes(owner="me")), daemon=True)]
for thread in busy: thread.start()
"""


def pythons() -> list[str]:
    """This one, and the others of this machine that can load the package."""
    others = {Path(path).resolve() for path in Path.home().glob(".pyenv/versions/3.1[0-9]*/bin/python")}
    return [sys.executable, *sorted(str(path) for path in others - {Path(sys.executable).resolve()})]


def name(python: str) -> str:
    return "this" if python == sys.executable else Path(python).parents[1].name


SUBINTERPRETER = """
try: import _xxsubinterpreters as interpreters
except ImportError: import _interpreters as interpreters
import sys
it = {create}
try:
    failed = interpreters.run_string(it, "import sys; sys.path[:] = " + repr(sys.path) + "\\nimport tidings")
except Exception as error:
    failed = error
interpreters.destroy(it)
print("ImportError" in str(failed), "interpreter" in str(failed))
"""


@pytest.mark.parametrize("python", pythons(), ids=name)
@pytest.mark.parametrize("create", ["interpreters.create()", "interpreters.create('legacy') if sys.version_info >= (3, 13) else interpreters.create(isolated=False)"], ids=["isolated", "legacy"])
@pytest.mark.parametrize("first", ["", "import tidings", BLOCKING + BUSY], ids=["alone", "imported", "busy"])
def test_a_sub_interpreter_is_refused_and_the_process_ends(python, create, first, tmp_path):
    assert run(first + SUBINTERPRETER.format(create=create), tmp_path / "store", python=python, opens="") == "True True\n"


ENDS = {
    "by itself": ("print('end')", 0),
    "sys.exit": ("print('end'); sys.exit(3)", 3),
    "an exception": ("print('end'); raise ValueError", 1),
    "os._exit": ("import os; print('end', flush=True); os._exit(5)", 5),
    "sys.exit in a signal handler during a call": (
        "import signal, os\nsignal.signal(signal.SIGALRM, lambda *_: sys.exit(6))\nsignal.setitimer(signal.ITIMER_REAL, 0.1)\nprint('end')\ntidings.BlockingTestClock(0).next_wait()",
        6,
    ),
    "sys.exit in a handler of logging": (
        "import logging\nclass Ends(logging.Handler):\n    def emit(self, record): sys.exit(7)\n"
        "logging.getLogger('tidings').addHandler(Ends())\nlogging.getLogger('tidings').setLevel(5)\ntidings.log_to_logging('trace')\nengine.outbox(owner='me')\nprint('end')",
        0,
    ),
    "with faulthandler": ("import faulthandler; faulthandler.enable(); faulthandler.dump_traceback(all_threads=True); print('end')", 0),
    "a pool of threads": ("from concurrent.futures import ThreadPoolExecutor\nlist(ThreadPoolExecutor(4).map(lambda _: engine.accounts(), range(40)))\nprint('end')", 0),
    "asyncio in the midst": ("import asyncio\nother = tidings.Engine.open(tidings.Config(sys.argv[1] + '2', config.client_id, config.cloud), tidings.generate_root_key())\n"
                             "async def main(): asyncio.create_task(anext(other.events())); await asyncio.sleep(0); print('end'); sys.exit(8)\nasyncio.run(main())", 8),
}


@pytest.mark.parametrize("python", pythons(), ids=name)
@pytest.mark.parametrize("how", ENDS)
def test_a_process_ends_with_its_own_code_while_calls_are_under_way(python, how, tmp_path):
    code, wanted = ENDS[how]
    assert run(BUSY + code, tmp_path / "store", python=python, wanted=wanted, opens=BLOCKING) == "end\n"


def test_what_runs_at_exit_has_the_engine_if_it_was_registered_after_the_import(tmp_path):
    code = "import atexit; atexit.register(lambda: print('late', engine.accounts().items))"
    early = "import atexit\ndef early():\n    try: engine.accounts()\n    except tidings.ClosedError: print('early', 'closed')\natexit.register(early)\n"
    assert run(code, tmp_path / "store", opens=early + BLOCKING) == "late []\nearly closed\n"


@forks
def test_a_fork_is_told_that_the_engine_is_the_parents(tmp_path):
    code = """
import asyncio, os
child = os.fork()
if child == 0:
    try: asyncio.run(engine.accounts())
    except tidings.ForkedError: sys.exit(7)
    sys.exit(1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), asyncio.run(engine.accounts()).items)
"""
    assert run(code, tmp_path / "store") == "7 []\n"


@forks
@pytest.mark.parametrize("python", pythons(), ids=name)
@pytest.mark.parametrize("end", ["os._exit(7)", "sys.exit(7)"])
def test_a_fork_in_the_midst_of_calls_neither_hangs_nor_crashes(python, end, tmp_path):
    code = f"""
import os, warnings
warnings.simplefilter("ignore")
for _ in range(5):
    child = os.fork()
    if child == 0:
        told = []
        for call in (engine.accounts, lambda: engine.send(tidings.Chat("a", to="a@contoso.com", body="Hi")), lambda: next(engine.events()), lambda: next(engine.changes(owner="me"))):
            try: call()
            except tidings.ForkedError: told.append("forked")
        engine.close()
        for folder in (sys.argv[1], sys.argv[1] + "2"):
            try: tidings.BlockingEngine.open(tidings.Config(folder, config.client_id, config.cloud), tidings.generate_root_key())
            except tidings.ForkedError: told.append("forked")
        assert told == ["forked"] * 6, told
        {end}
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), engine.accounts().items)
"""
    assert run(BUSY + code, tmp_path / "store", python=python, opens=BLOCKING) == "7 []\n" * 5


@forks
def test_a_fork_opens_an_engine_where_none_was_open(tmp_path):
    code = """
import os
engine.close()
child = os.fork()
if child == 0:
    with tidings.BlockingEngine.open(tidings.Config(sys.argv[1] + "2", config.client_id, config.cloud), tidings.generate_root_key()) as own: assert own.accounts().items == []
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(code, tmp_path / "store", opens=BLOCKING) == "7\n"


@forks
def test_a_fork_leaves_the_parents_sign_in_alone(tmp_path):
    code = """
import os, threading, urllib.error, urllib.parse, urllib.request
here = engine.connect_here(owner="me", features=["chat"])
back = urllib.parse.parse_qs(urllib.parse.urlsplit(here.url()).query)["redirect_uri"][0]
threading.Thread(target=lambda: here.wait(), daemon=True).start()
child = os.fork()
if child == 0: sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try: urllib.request.build_opener(urllib.request.ProxyHandler({})).open(back + "/?state=wrong", timeout=60)
except urllib.error.HTTPError as e: print(e.code)
"""
    assert run(code, tmp_path / "store", opens=BLOCKING) == "7\n404\n"


def test_what_is_bound_to_its_process_is_not_copied(blocking, tmp_path):
    engine = tidings.Engine.open(tidings.Config(str(tmp_path / "other"), "id", tidings.Cloud.Custom(NOWHERE, NOWHERE)), tidings.generate_root_key())
    clock, key = tidings.TestClock(1), tidings.RootKey.raw(tidings.generate_root_key())
    with blocking:
        here = blocking.connect_here(owner="me", features=["chat"])
        bound = [
            engine, engine.events(), engine.changes(owner="me"), blocking, blocking.events(), blocking.changes(owner="me"), here,
            tidings.logs("error"), tidings.blocking_logs("error"), clock, tidings.BlockingTestClock(1), key, tidings.Secret("hidden"),
        ]
        sign_in = blocking.connect(owner="me", features=["chat"], redirect_uri="http://localhost/callback")
        values = [sign_in, tidings.Config("data", "id", "public", client_secret="hidden"), tidings.Cloud.Custom("a", "b")]
        for it in [*bound, *values]:
            name = "Cloud" if isinstance(it, tidings.Cloud) else type(it).__name__
            for copied in (pickle.dumps, copy.copy, copy.deepcopy, multiprocessing.reduction.ForkingPickler.dumps, lambda it: copy.deepcopy({"deep": [it]})):
                with pytest.raises(TypeError, match=f"cannot pickle or copy '{name}' object.* where it is needed"):
                    copied(it)
            assert not hasattr(it, "__dict__")
