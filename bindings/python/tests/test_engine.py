"""Coroutines, cancelling, closing, loops; and the same without asyncio."""

import asyncio
import os
import signal
import threading
import time

import pytest

import tidings
from conftest import NOWHERE, run


def test_a_cancelled_wait_ends():
    async def main():
        clock = tidings.TestClock(1000)
        waiting = asyncio.create_task(clock.next_wait())
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(clock.next_wait(), 0.05)
        clock.advance(5)
        assert clock.now_ms() == 1005

    asyncio.run(main())


def test_methods_take_a_record_or_its_fields(engine):
    async def main():
        async with engine:
            one, two, three = await asyncio.gather(engine.accounts(owner="nobody"), engine.accounts(tidings.AccountFilter(owner="nobody")), engine.accounts())
            assert one.items == two.items == three.items == []
            assert await engine.outbox(owner="nobody", state="queued", limit=5) == []
            assert (await engine.messages(owner="nobody", folder="inbox")).items == []
            with pytest.raises(tidings.InvalidInputError):
                await engine.accounts(tidings.AccountFilter(), owner="nobody")
            with pytest.raises(TypeError):
                await engine.connect(features=["chat"])
            sign_in = await engine.connect(owner="recruiter-42", features=["chat", "mail_send"], redirect_uri="http://localhost:1234/callback")
            assert sign_in.url.startswith(NOWHERE)
            with pytest.raises(tidings.NotFoundError):
                await engine.account("nobody")

    asyncio.run(main())


def test_a_closed_engine_says_so(engine):
    async def main():
        async with engine as same:
            assert same is engine
        await engine.close()
        with pytest.raises(tidings.ClosedError) as caught:
            await engine.accounts()
        assert caught.value.kind is tidings.ErrorKind.CLOSED
        with pytest.raises(tidings.ClosedError):
            await engine.send(tidings.Chat("account", to="a@contoso.com", body="Hi"))

    asyncio.run(main())


def test_closing_ends_loops(engine):
    async def collect(stream):
        return [item async for item in stream]

    async def main():
        loops = [asyncio.create_task(collect(stream)) for stream in (engine.events(), engine.changes(owner="me"), engine.events("me"))]
        await asyncio.sleep(0.1)
        await engine.close()
        assert await asyncio.wait_for(asyncio.gather(*loops), 60) == [[], [], []]

    asyncio.run(main())


def test_a_cancelled_loop_leaves_the_engine_usable(engine):
    async def main():
        async with engine:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(engine.events()), 0.05)
            assert (await engine.accounts()).items == []

    asyncio.run(main())


def test_the_twin_blocks_and_lets_others_run(blocking):
    with blocking as engine:
        assert engine.accounts(owner="nobody").items == []
        found = []
        reader = threading.Thread(target=lambda: found.extend(engine.events()))
        reader.start()
        time.sleep(0.1)
        assert reader.is_alive()
    reader.join(60)
    assert not reader.is_alive()
    assert list(engine.changes(owner="me")) == []
    with pytest.raises(tidings.ClosedError):
        engine.accounts()


def test_ctrl_c_ends_a_blocking_wait():
    clock = tidings.BlockingTestClock(0)
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        clock.next_wait()
    assert time.monotonic() - started < 60


def test_an_engine_left_open_does_not_hold_the_process(engine, tmp_path):
    assert run("import asyncio\nasync def main(): asyncio.create_task(anext(engine.events())); await asyncio.sleep(0.05)\nasyncio.run(main())\nprint('end')", tmp_path / "other") == "end\n"
    assert run("events = engine.events(); waiting = events.next(); print('end')", tmp_path / "third") == "end\n"


FORWARD = """
import asyncio, logging
class Angry(logging.Handler):
    def emit(self, record): raise ValueError("a handler of the host")
class Keep(logging.Handler):
    def emit(self, record): kept.append(record)
kept = []
logger = logging.getLogger("tidings")
logger.setLevel(5)
logger.handlers = [Keep()]
stop = tidings.log_to_logging(level="trace")
"""


def test_records_go_to_logging(engine, tmp_path):
    code = FORWARD + """
asyncio.run(engine.accounts())
asyncio.run(engine.close())
stop()
stop()
print(all(r.name.startswith("tidings.") and isinstance(r.fields, dict) and r.levelno in (5, 10, 20, 30, 40) for r in kept), len(kept) > 0)
"""
    assert run(code, tmp_path / "other") == "True True\n"


def test_forwarding_ends_with_the_interpreter(engine, tmp_path):
    """Neither a handler that fails, nor an engine left open, nor a stop that nobody called keeps it or breaks its end."""
    code = FORWARD + "logging.raiseExceptions = False\nlogger.handlers = [Angry()]\nlogger.filter = lambda record: 1 / 0\nasyncio.run(engine.accounts())\nprint('end')"
    assert run(code, tmp_path / "other") == "end\n"


def test_log_records_are_iterated():
    async def main():
        stream = tidings.logs("trace")
        with pytest.raises(asyncio.TimeoutError):
            while True:
                record = await asyncio.wait_for(anext(stream), 0.05)
                assert record.target.startswith("tidings")

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_ends_although_records_were_forwarded(engine, tmp_path):
    code = FORWARD + """
child = os.fork()
if child == 0: sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run("import os\n" + code, tmp_path / "other") == "7\n"


def test_two_forwarders_are_two(engine, tmp_path):
    code = FORWARD + """
second = tidings.log_to_logging(level="trace")
asyncio.run(engine.accounts())
stop()
kept.clear()
asyncio.run(engine.close())
second()
print(len(kept) > 0)
kept.clear()
try: asyncio.run(engine.accounts())
except tidings.ClosedError: pass
print(len(kept))
"""
    assert run(code, tmp_path / "other") == "True\n0\n"


def test_counts_are_numbers(blocking):
    with blocking as engine:
        engine.accounts()
        assert engine.metrics() == engine.metrics()
        assert engine.metrics().requests == 0


def test_errors_tell_who_can_mend_them(blocking):
    with blocking as engine:
        for call, kind in [
            (lambda: engine.approval("nobody", "http://localhost/callback"), tidings.NotFoundError),
            (lambda: engine.reconnect("nobody", "http://localhost/callback"), tidings.NotFoundError),
            (lambda: engine.purge(), tidings.InvalidInputError),
            (lambda: engine.search(text="anything"), tidings.InvalidInputError),
            (lambda: engine.connect(owner="", features=["chat"], redirect_uri="http://localhost/callback"), tidings.InvalidInputError),
        ]:
            with pytest.raises(kind) as caught:
                call()
            assert caught.value.remedy in tidings.Remedy and len(caught.value.reason) > 10
