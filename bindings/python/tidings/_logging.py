"""What the engines log, for the standard `logging`."""

# What only those need who ask for it is imported in the functions: `import tidings` stays quick.
from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from . import _native

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

# The standard library's numbers; it has none for traces.
_LEVELS = {"error": 40, "warn": 30, "info": 20, "debug": 10, "trace": 5}


def log_to_logging(level: _native.LogLevel | Literal["error", "warn", "info", "debug", "trace"] = "info") -> Callable[[], None]:
    """Hands what the engines of this process log to `logging`, under the names `tidings.auth`, `tidings.sync` …; the fields of a record are
    its attribute `fields`. `level` is what the engines tell at the least; loggers and handlers filter as usual. Gives a function that stops it;
    it also stops by itself when the interpreter ends."""
    import atexit
    import threading

    pump = _native._LogPump(level)
    thread = threading.Thread(target=_forward, args=(pump,), name="tidings-logs", daemon=True)

    def stop() -> None:
        atexit.unregister(stop)
        pump.stop()
        thread.join()

    thread.start()
    atexit.register(stop)  # a daemon thread that outlives the interpreter would end it the hard way
    return stop


def _forward(pump: _native._LogPump) -> None:
    import logging
    import traceback

    while (record := pump.next()) is not None:
        logger = logging.getLogger(record.target.replace("::", "."))
        level = _LEVELS[record.level.value]
        try:
            if logger.isEnabledFor(level):
                logger.handle(_standard(logger, level, record))
        except Exception:  # a filter or handler of the host; the next record may do better
            if logging.raiseExceptions:
                traceback.print_exc()


def _standard(logger: logging.Logger, level: int, record: _native.LogRecord) -> logging.LogRecord:
    fields = {field.name: field.value for field in record.fields}
    text = " ".join([record.message, *(f"{name}={value}" for name, value in fields.items())])
    made = logger.makeRecord(logger.name, level, "tidings", 0, text, (), None, None, {"fields": fields})
    made.created = record.at.timestamp()
    made.msecs = made.created % 1 * 1000
    return made
