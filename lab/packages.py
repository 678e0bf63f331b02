"""Servers that the lab uses as peers or engines, unpacked privately from their Debian packages.

Nothing is installed: the packages and the libraries that this machine lacks are downloaded with
`apt-get download` and unpacked into one tree in the user's cache folder. No maintainer script runs.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

# One group per line: what a group needs is asked from apt together; groups may conflict with each other.
GROUPS = [
    ["postfix"],
    ["exim4-daemon-light"],
    ["knot"],
    ["unbound"],
    ["bind9"],
    ["pdns-server", "pdns-backend-sqlite3", "pdns-backend-lmdb"],
    ["pebble"],
    ["lego"],
]

# Programs that must be there once the tree is complete, or the machine has them installed itself.
PROGRAMS = ["postfix", "postconf", "exim4", "knotd", "knotc", "unbound", "unbound-control", "named", "pdns_server", "pebble", "lego"]

ADVICE = """the lab needs the package lists of apt, and they are missing or out of date. Run as root:
  apt-get update"""


class Missing(Exception):
    """What the lab needs cannot be had; the text says what to do."""


def cache() -> Path:
    """The folder that holds the unpacked trees, one per set of packages and release."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME") or "/var/tmp", ".cache")
    return Path(base) / "kedge-lab"


def tree() -> Path:
    """The unpacked tree for this machine; fetched at first use."""
    path = cache() / _key()
    if not (path / "complete").exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with _lock(path.parent / "lock"):
            if not (path / "complete").exists():
                _fetch(path)
    return path / "root"


def forget():
    """Removes the tree for this machine, so that the next use fetches current packages."""
    shutil.rmtree(cache() / _key(), ignore_errors=True)


def program(name: str) -> str:
    """The path of a server's program in the tree; the machine's own when it is installed there."""
    for folder in ("usr/sbin", "usr/bin"):
        if (tree() / folder / name).exists():
            return str(tree() / folder / name)
    found = shutil.which(name, path="/usr/sbin:/usr/bin")
    if not found:
        raise Missing(f"{name} is neither in {tree()} nor installed; run lab/unpack --refresh")
    return found


def library_path() -> str:
    """LD_LIBRARY_PATH for programs of the tree that run outside the lab's mount namespace."""
    return str(tree() / "usr/lib" / _multiarch())


def _key() -> str:
    release = dict(
        line.rstrip().split("=", 1) for line in open("/etc/os-release", encoding="utf-8") if "=" in line
    ).get("VERSION_ID", "0").strip('"')
    names = hashlib.sha256(repr(GROUPS).encode()).hexdigest()[:8]
    return f"debian{release}-{_multiarch()}-{names}"


def _multiarch() -> str:
    return f"{os.uname().machine}-linux-gnu"


@contextlib.contextmanager
def _lock(path: Path):
    with open(path, "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run(*command, **options) -> str:
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode:
        raise Missing(f"{' '.join(command[:3])} failed:\n{done.stdout.strip()}\n{ADVICE}")
    return done.stdout


def _wanted() -> list[str]:
    """The packages to fetch: the servers, and of what they depend on only what is not installed."""
    wanted = set()
    for group in GROUPS:
        plan = _run("apt-get", "-s", "--no-install-recommends", "install", *group, env={**os.environ, "LC_ALL": "C"})
        # "Inst NAME (VERSION ..." is new; "Inst NAME [OLD] (VERSION ..." is here already, in another version.
        wanted |= {m[1].split(":")[0] for m in re.finditer(r"^Inst (\S+) \(", plan, re.M)}
        wanted |= set(group)
    return sorted(wanted)


def _fetch(path: Path):
    print(f"lab: unpacking servers into {path} (once)", flush=True)
    work = Path(tempfile.mkdtemp(prefix="fetch-", dir=path.parent))
    try:
        names = _wanted()
        (work / "deb").mkdir()
        _run("apt-get", "-q", "download", *names, cwd=work / "deb")
        root = work / "root"
        for folder in ("usr/bin", "usr/sbin", "usr/lib"):
            (root / folder).mkdir(parents=True)
        for link in ("bin", "sbin", "lib"):
            (root / link).symlink_to(f"usr/{link}")
        debs = sorted((work / "deb").glob("*.deb"))
        for deb in debs:
            _unpack(deb, root)
        (work / "complete").write_text("".join(f"{deb.name}\n" for deb in debs), encoding="utf-8")
        shutil.rmtree(work / "deb")
        shutil.rmtree(path, ignore_errors=True)
        work.rename(path)
        path.chmod(0o755)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpack(deb: Path, root: Path):
    """As dpkg -x, but keeps the links of a merged /usr, and no owner and no set-id bits."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as data:
        _run("tar", "-x", "--keep-directory-symlink", "--no-same-owner", "--no-same-permissions", "-C", root,
             stdin=data.stdout)
    if data.returncode:
        raise Missing(f"{deb.name} cannot be unpacked; try again")
