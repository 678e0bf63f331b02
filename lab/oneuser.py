"""Lets servers that want several users run where there is only one.

An unprivileged user namespace maps a single user, as root. Postfix and Exim then fail when they change to
their own user. Under this seccomp filter those system calls say yes and do nothing. That is no weaker than
what the user could do before: everything still runs as the one user who started the lab.
"""

import ctypes
import os
import struct

PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_SUCCEED = 0x00050000  # SECCOMP_RET_ERRNO with errno 0: the call returns 0 without being made

LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
OFFSET_NUMBER, OFFSET_ARCHITECTURE = 0, 4

# machine: (AUDIT_ARCH, numbers of set{uid,gid,reuid,regid,groups,resuid,resgid,fsuid,fsgid} and {f,l,}chown{,at})
CALLS = {
    "x86_64": (0xC000003E, [105, 106, 113, 114, 116, 117, 119, 122, 123, 92, 93, 94, 260]),
    "aarch64": (0xC00000B7, [146, 144, 145, 143, 159, 147, 149, 151, 152, 55, 54]),
}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def _filter() -> bytes:
    architecture, numbers = CALLS[os.uname().machine]
    code = [
        (LOAD_WORD, 0, 0, OFFSET_ARCHITECTURE),
        (JUMP_IF_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, SECCOMP_RET_ALLOW),
        (LOAD_WORD, 0, 0, OFFSET_NUMBER),
    ]
    for i, number in enumerate(numbers):
        code.append((JUMP_IF_EQUAL, len(numbers) - i, 0, number))
    code += [(RETURN, 0, 0, SECCOMP_RET_ALLOW), (RETURN, 0, 0, SECCOMP_RET_SUCCEED)]
    return b"".join(struct.pack("=HBBI", *line) for line in code)


def pretend():
    """From here on, in this process and all it starts, changes of user and owner succeed and do nothing."""
    code = _filter()
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refuses a seccomp filter")
