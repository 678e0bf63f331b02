"""The demo is a promise to newcomers: it must hold, with a namespace and without one."""

import subprocess

import pytest
from nested import environment, start


@pytest.mark.parametrize("more, steps", [({}, 7), ({"KEDGE_LAB_PORTS": "1"}, 5)], ids=["namespace", "high ports"])
def test_every_step_of_the_demo_holds(build, more, steps):
    demo = start("lab/demo", "--build", build, "--once", env=environment(**more), text=True,
                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _ = demo.communicate(timeout=120)
    assert f"{steps} of {steps} steps held" in said and demo.returncode == 0, said
