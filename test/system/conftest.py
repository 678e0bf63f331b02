"""System tests run inside a lab: this file moves the whole pytest run into its namespace and brings it up once.

    /usr/bin/python3 -m pytest test/system        (KEDGE_BUILD names the build folder; default: build)
"""

import os
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(HOME))
from lab import namespace, packages  # noqa: E402
from lab.lab import Lab  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Outside the namespace, the tests are run by a pytest inside it."""
    if namespace.inside():
        return None
    config.pluginmanager.getplugin("capturemanager").suspend_global_capture(in_=True)
    try:
        return namespace.run([sys.executable, "-m", "pytest", *config.invocation_params.args])
    except packages.Missing as why:
        raise pytest.UsageError(str(why)) from None


@pytest.fixture(scope="session")
def world_lab():
    """The lab, up for the whole run."""
    lab = Lab().up()
    yield lab
    lab.down()


@pytest.fixture
def lab(world_lab):
    """The lab, with nothing seen yet."""
    world_lab.clear()
    return world_lab


@pytest.fixture(scope="session")
def build() -> Path:
    """The folder with the programs under test."""
    return Path(os.environ.get("KEDGE_BUILD", HOME / "build")).resolve()


@pytest.fixture(scope="session")
def running_edge(world_lab, build):
    """Kedge, provisioned, up for the whole run."""
    return world_lab.edge(build)


@pytest.fixture
def edge(lab, running_edge):
    """Kedge with an empty queue, before and after."""
    yield running_edge
    for entry in running_edge.queue():
        running_edge.try_cli("queue", "remove", entry["id"])  # it may just have been delivered
