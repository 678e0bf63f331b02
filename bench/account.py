"""Processor time and memory of a process tree, ended children included."""

import ctypes
import os
import time

TICK = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    """Daemons that leave their parent stay below this process, so that no tree escapes its accounting."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl: cannot become a subreaper")


def _stat(pid: int) -> list[str]:
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def descendants(roots: list[int]) -> list[int]:
    """The processes of these trees that live or wait to be reaped, the roots first."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                children.setdefault(int(_stat(int(name))[1]), []).append(int(name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, todo = [], [pid for pid in roots if os.path.exists(f"/proc/{pid}")]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def _own_seconds(pid: int, fields: list[str]) -> float:
    """User and system time of one process. The clock ticks of `stat` include ended threads; the scheduler's
    nanoseconds do not, but are exact: the larger one is nearer to the truth."""
    exact = 0.0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                exact += int(file.read().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError, IndexError):
        pass
    return max(exact, (int(fields[11]) + int(fields[12])) / TICK)


def cpu_seconds(roots: list[int]) -> float:
    """Seconds used so far by these trees. A child that has ended counts in the cutime of whoever reaped it, so
    nothing short-lived is lost; take it twice and subtract."""
    total = 0.0
    for pid in descendants(roots):
        try:
            fields = _stat(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += _own_seconds(pid, fields) + (int(fields[13]) + int(fields[14])) / TICK
    return total


def settle(roots: list[int], limit: float = 5.0) -> float:
    """Waits until the trees rest (under 2 % of a processor for half a second); their cpu_seconds then."""
    end = time.monotonic() + limit
    before = cpu_seconds(roots)
    while time.monotonic() < end:
        time.sleep(0.5)
        now = cpu_seconds(roots)
        if now - before < 0.01:
            return now
        before = now
    return before


def memory_kb(roots: list[int]) -> int:
    """Proportional set size: a page shared by k processes counts as one k-th in each."""
    total = 0
    for pid in descendants(roots):
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def peak_mib(pid: int) -> float:
    """The most memory that a process had resident at any time since it began, or since forget_peak."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("VmHWM:")), 0) / 1024  # none: it has ended


def forget_peak(pid: int):
    """From now on peak_mib counts anew."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
