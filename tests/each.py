"""One test over a whole table of cases: it costs the time of one, and still names each case that fails.

A pure floor has thousands of cases of microseconds each: a test of its own for every one would take far longer.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest

_LONGEST = 200
"""Characters of a value that are told."""


def each(names: str | tuple[str, ...], cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Call a test with every case: with a value for the one name, or with a tuple of as many values as there are names.

    What else the test takes is a fixture's, or another `each`'s.
    """
    wanted = (names,) if isinstance(names, str) else names
    table = [(case,) if isinstance(names, str) else case for case in cases]
    assert table, f"there is no case of {names}"

    def over(test: Callable[..., None]) -> Callable[..., None]:
        assert not inspect.iscoroutinefunction(test), "nobody would wait for it"
        assert not inspect.isgeneratorfunction(test), "nobody would run it"

        @functools.wraps(test)
        def with_each(**others: Any) -> None:
            failed = list[Exception]()
            for case in table:
                values = dict(zip(wanted, case, strict=True))
                try:
                    test(**values, **others)
                except (Exception, pytest.fail.Exception) as error:  # the latter is what `pytest.raises` misses
                    failure = error if isinstance(error, Exception) else AssertionError(str(error))
                    failure.add_note("with " + ", ".join(_told(name, value) for name, value in values.items()))
                    failed.append(failure)
            if failed:
                raise ExceptionGroup(f"{len(failed)} of {len(table)} cases failed", failed)

        whole = inspect.signature(test)
        others = [parameter for name, parameter in whole.parameters.items() if name not in wanted]
        with_each.__signature__ = whole.replace(parameters=others)  # type: ignore[attr-defined]
        return with_each

    return over


def _told(name: str, value: object) -> str:
    text = repr(value)
    return f"{name}={text if len(text) <= _LONGEST else text[:_LONGEST] + '…'}"
