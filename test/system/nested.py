"""Starting a lab, or a demo, beside the one that the tests run in."""

import os
import subprocess
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent.parent


def environment(**more) -> dict:
    """As if we were not in a lab."""
    return {k: v for k, v in os.environ.items() if not k.startswith("KEDGE_LAB")} | more


def start(program: str, *words, env=None, **options) -> subprocess.Popen:
    """One of the lab's programs, in a namespace of its own."""
    return subprocess.Popen([str(HOME / program), *map(str, words)], env=env or environment(), **options)
