"""Measures which lines and branches of one floor its tests take, and fails where one is left: `--floor=pointsman.core`.

Only the floor's own modules and what tests do are traced: to trace the work of pytest itself would take as long again.
"""

import gc
import io
import sys
from collections.abc import Generator
from importlib import import_module
from pkgutil import iter_modules

import pytest
from coverage import Coverage


class Floor:
    def __init__(self, package: str) -> None:
        self._coverage = Coverage(data_file=None, source=[package])
        self._coverage.start()
        self._trace = sys.gettrace()
        for module in iter_modules(import_module(package).__path__):
            import_module(f"{package}.{module.name}")
        sys.settrace(None)

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self) -> Generator[None, object, object]:
        sys.settrace(self._trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        sys.settrace(self._trace)  # Coverage takes its own away
        self._coverage.stop()
        self._told = io.StringIO()
        if self._coverage.report(file=self._told) < 100 and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write(self._told.getvalue())


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    for item in items:
        if getattr(item.obj, "is_hypothesis_test", False):
            item.add_marker("hypothesis")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--floor", required=True, help="the package whose branches are measured")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "hypothesis: throws dice")
    gc.disable()  # the tests of a floor take seconds and leave little behind
    config.pluginmanager.register(Floor(config.getoption("floor")))
