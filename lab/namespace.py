"""A network, mount and process namespace of our own: ports 25 and 53 are free, the machine stays as it was.

Inside, the unpacked servers lie over /usr, /etc is a private copy that knows the servers' users and the lab's
resolver, /run is empty and in memory, and lo has any address. Works as root, and as an ordinary user by a user
namespace. When the first process in it ends, or whoever started it, the kernel ends all others and forgets all.
"""

import ctypes
import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

from lab import oneuser, packages

HOME = Path(__file__).resolve().parent.parent
SPLIT = ["--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"]
AS_ROOT: list[str] = []
AS_USER = ["--user", "--map-root-user"]

RESOLVER = "127.0.53.53"
USERS = {"postfix": 64025, "Debian-exim": 64026, "kedge": 64027}
GROUPS = {**USERS, "postdrop": 64028}


def inside() -> bool:
    """Whether this process runs in the lab's namespace."""
    return "KEDGE_LAB" in os.environ


def one_user() -> bool:
    """Whether the namespace has a single user: changing to another one does nothing (see oneuser)."""
    return os.environ.get("KEDGE_LAB") == "one-user"


@functools.cache
def flavour() -> list[str] | None:
    """The options of unshare(1) that work on this machine; None when no namespace can be had, or none is wanted
    (KEDGE_LAB_PORTS is set)."""
    if "KEDGE_LAB_PORTS" in os.environ:
        return None
    for options in ([AS_ROOT] if os.getuid() == 0 else []) + [AS_USER]:
        probe = "mount -t tmpfs lab /run && ip link set lo up"
        done = subprocess.run(["unshare", *options, *SPLIT, "sh", "-c", probe], capture_output=True)
        if done.returncode == 0:
            return options
    return None


def run(command: list[str]) -> int:
    """Runs a command in a new namespace and returns its exit status. Nothing of it outlives this process."""
    options = flavour()
    if options is None:
        raise packages.Missing("this machine allows no namespaces (unshare fails, also with --user)")
    environment = {
        **os.environ,
        "KEDGE_LAB": "users" if options is AS_ROOT and _has_users() else "one-user",
        "KEDGE_LAB_TREE": str(packages.tree()),
        "PYTHONPATH": ":".join([str(HOME), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    outer = subprocess.Popen(
        ["unshare", *options, *SPLIT, sys.executable, "-P", "-m", "lab.namespace", *command],
        env=environment, preexec_fn=die_with_parent,
    )
    while True:
        try:
            return outer.wait()
        except KeyboardInterrupt:
            pass  # the terminal told the command too; it ends in its own way


def _has_users() -> bool:
    """Whether the lab's users exist for the kernel here: we may be root of a namespace that maps a single user."""
    spans = [[int(word) for word in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return all(any(first <= i < first + count for first, _, count in spans) for i in GROUPS.values())


def enter(command: list[str]) -> int:
    """Runs a command in the newest namespace that is up and ours; with the environment in /run/lab/environment."""
    first = max((pid for pid in Path("/proc").glob("[0-9]*") if _is_first_process(pid)), default=None,
                key=lambda pid: int(pid.name))
    if first is None:
        raise packages.Missing("no lab is up; start one with: lab/lab up")
    user = [] if os.getuid() == 0 else ["--user", "--preserve-credentials"]
    script = "test ! -f /run/lab/environment || . /run/lab/environment; exec \"$@\""
    return subprocess.call(["nsenter", "--target", first.name, *user, "--net", "--mount", "--pid", "--ipc", "--uts",
                            "--wd=" + os.getcwd(), "sh", "-c", script, "sh", *command])


def _is_first_process(pid: Path) -> bool:
    try:
        words = (pid / "cmdline").read_bytes().split(b"\0")
        inside_it = (pid / "status").read_text(encoding="utf-8").split("NSpid:")[1].split("\n")[0].split()
        by_hand = any(word.endswith((b"/lab/lab", b"/lab/demo")) for word in words)
        return by_hand and b"lab.namespace" in words and inside_it[-1] == "1"
    except OSError:
        return False


def die_with_parent():
    """For preexec_fn: the kernel kills this process when the thread that started it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def add_address(address: str):
    """Puts an address on lo. Not needed to listen on 127.x; Postfix wants to find its own addresses there."""
    if address not in ("127.0.0.1", "::1"):
        family = ["/128", "nodad"] if ":" in address else ["/32"]  # nodad: it can be listened on at once
        _do("ip", "address", "replace", address + family[0], "dev", "lo", *family[1:])


def cover(folder: str):
    """Lays an empty folder in memory over one."""
    _do("mount", "-t", "tmpfs", "-o", "mode=755", "lab-cover", folder)


def _do(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise packages.Missing(f"{' '.join(command)}: {done.stdout.strip()}")


def _furnish():
    """Mounts and files of a new namespace."""
    tree = os.environ["KEDGE_LAB_TREE"]
    _do("mount", "--make-rprivate", "/")
    _do("ip", "link", "set", "lo", "up")
    # Before /run is covered: the tree may lie anywhere, /run included.
    _do("mount", "-t", "overlay", "-o", f"ro,lowerdir={tree}/usr:/usr", "lab-usr", "/usr")
    _do("mount", "-t", "tmpfs", "-o", "mode=755", "lab-run", "/run")
    for folder in ("lab", "etc/upper", "etc/work", "lock"):
        os.makedirs(f"/run/{folder}")
    _do("mount", "-t", "overlay", "-o", f"lowerdir={tree}/etc:/etc,upperdir=/run/etc/upper,workdir=/run/etc/work",
        "lab-etc", "/etc")
    _append("/etc/passwd", {name: f"{name}:x:{i}:{i}::/nonexistent:/bin/false" for name, i in USERS.items()})
    _append("/etc/group", {name: f"{name}:x:{i}:" for name, i in GROUPS.items()})
    _replace("/etc/resolv.conf", f"nameserver {RESOLVER}\noptions edns0 trust-ad\n")
    _replace("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")


def _append(path: str, lines: dict[str, str]):
    old = Path(path).read_text(encoding="utf-8")
    known = {line.split(":")[0] for line in old.splitlines()}
    new = [line for name, line in lines.items() if name not in known]
    _replace(path, old.rstrip("\n") + "\n" + "\n".join(new) + "\n")


def _replace(path: str, text: str):
    Path(path).unlink(missing_ok=True)
    Path(path).write_text(text, encoding="utf-8")


def _first_process(command: list[str]) -> int:
    """Runs the command and reaps every orphan until it ends: the duties of process 1."""
    child = subprocess.Popen(command)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else lambda n, _: child.send_signal(n))
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    try:
        _furnish()
        if one_user():
            oneuser.pretend()
        sys.exit(_first_process(sys.argv[1:]))
    except packages.Missing as why:
        sys.exit(f"lab: {why}")
