"""The host's answer to what Teams asks the bot: in time, and in words whatever happens."""

# What only those need who answer is imported in the functions: `import tidings` stays quick.
from __future__ import annotations

from typing import TYPE_CHECKING

from . import _native

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Literal

    _Answer = _native.BotAnswer | Literal["done"] | None
    _OnError = Callable[[_native.BotInvoke, BaseException], object] | None

_FAILED = "Something went wrong. Try again later."
_TOO_LONG = "The answer took too long. Try again later."


async def answered(invoke: _native.BotInvoke, handler: Callable[[_native.BotInvoke], Awaitable[_Answer] | _Answer], timeout: float, on_error: _OnError) -> _native.HttpResponse:
    import asyncio

    task = asyncio.ensure_future(_called(handler, invoke))
    try:
        # Not `wait_for`: that waits for a function which does not let itself be cancelled.
        done, _ = await asyncio.wait({task}, timeout=timeout)
        if not done:
            return _failed(invoke, _late(timeout), on_error, _TOO_LONG)
        try:
            return _response(invoke, task.result())
        except (Exception, asyncio.CancelledError) as error:
            return _failed(invoke, error, on_error)
    finally:
        task.cancel()


async def _called(handler: Callable[[_native.BotInvoke], Awaitable[_Answer] | _Answer], invoke: _native.BotInvoke) -> _Answer:
    import asyncio
    import inspect

    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):
        answer = handler(invoke)
    else:
        answer = await asyncio.to_thread(handler, invoke)
    if inspect.isawaitable(answer):
        answer = await answer
    return answer


def answered_in_thread(invoke: _native.BotInvoke, handler: Callable[[_native.BotInvoke], _Answer], timeout: float, on_error: _OnError) -> _native.HttpResponse:
    import contextvars
    import threading

    outcome: list[tuple[_Answer, BaseException | None]] = []
    context = contextvars.copy_context()

    def work() -> None:
        try:
            outcome.append((context.run(handler, invoke), None))
        except BaseException as error:  # it is told below, in the thread that waits
            outcome.append((None, error))

    # It keeps no process alive: whoever waited for it is answered.
    thread = threading.Thread(target=work, name="tidings-invoke", daemon=True)
    thread.start()
    thread.join(timeout)
    if not outcome:
        return _failed(invoke, _late(timeout), on_error, _TOO_LONG)
    answer, raised = outcome[0]
    if raised is not None:
        return _failed(invoke, raised, on_error)
    try:
        return _response(invoke, answer)
    except Exception as error:
        return _failed(invoke, error, on_error)


def _response(invoke: _native.BotInvoke, answer: _Answer) -> _native.HttpResponse:
    return _native.invoke_response(invoke.name, "done" if answer is None else answer)


def _late(timeout: float) -> TimeoutError:
    return TimeoutError(f"on_invoke took longer than {timeout:g} seconds.")


def _failed(invoke: _native.BotInvoke, error: BaseException, on_error: _OnError, shown: str = _FAILED) -> _native.HttpResponse:
    import logging

    logger = logging.getLogger("tidings.bots")
    if on_error is None:
        logger.error("What Teams asked was not answered by on_invoke.", exc_info=error)
    else:
        try:
            on_error(invoke, error)
        except Exception:
            logger.exception("on_error failed.")
    return _native.invoke_response(invoke.name, _native.BotAnswer.Failure(500, shown))
