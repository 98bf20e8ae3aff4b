"""Which process something belongs to, and whether that process still lives.

An owner reads `host:pid:start`. `start` names this very process on this very machine, because process ids are given
again, several containers or machines may have one name, and what cannot be seen from here must never be called dead.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

_START = re.compile(r"([0-9a-f]{8})-([0-9a-f]+)")
_NO_PROCESS = "0"


def process_owner() -> str:
    """This process, as `host:pid:start`."""
    pid = os.getpid()
    return f"{platform.node()}:{pid}:{process_start(pid)}"


def process_start(pid: int) -> str:
    """When a process of this machine started, as `machine-instant`, fit for file names; instant 0 when unknown."""
    return f"{_machine()}-{_instant(pid) or _NO_PROCESS}"


def is_dead(owner: str) -> bool:
    """Whether the owner was a process of this machine, since it was last started, and is gone; False when unknown."""
    parts = owner.rsplit(":", 2)
    return len(parts) == 3 and parts[1].isdigit() and start_is_dead(int(parts[1]), parts[2])


def start_is_dead(pid: int, start: str) -> bool:
    """As `is_dead`, for the last two parts of an owner."""
    found = _START.fullmatch(start)
    if found is None or found[1] != _machine():
        return False
    instant = _instant(pid)
    return instant is not None and instant != found[2]


@cache
def _machine() -> str:
    """Eight hexadecimal digits for the space in which a process id means one process until the next boot."""
    words = [platform.node()]
    if sys.platform == "linux":
        # Containers share the boot, machines may share a name, but no two share both of these.
        with suppress(OSError):
            words.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
            words.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("|".join(words).encode()).hexdigest()[:8]


# `_instant` gives the start of a process in hexadecimal, _NO_PROCESS when there is none, None when that cannot be seen.
if sys.platform == "linux":

    def _instant(pid: int) -> str | None:
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return _unless_hidden(pid)
        except OSError:
            return None
        # The name in parentheses may hold anything; state and start (in clock ticks since boot) are fields 3 and 22.
        fields = stat.rpartition(b")")[2].split()
        # A killed process whose parent has not asked for it yet is still listed.
        return _NO_PROCESS if fields[0] in (b"Z", b"X") else f"{int(fields[19]):x}"

    def _unless_hidden(pid: int) -> str | None:
        # /proc mounted with hidepid does not list what belongs to other users.
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return _NO_PROCESS
        except PermissionError:
            return None
        return None

elif sys.platform == "win32":

    def _instant(pid: int) -> str | None:
        import ctypes
        from ctypes import wintypes

        query_limited_information, still_active, invalid_parameter = 0x1000, 259, 87
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = wintypes.HANDLE
        kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
        kernel.GetExitCodeProcess.argtypes = (wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD))
        kernel.GetProcessTimes.argtypes = (wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4)
        kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
        handle = kernel.OpenProcess(query_limited_information, False, pid)
        if not handle:
            # That is what an id without a process gives; another user's process gives "access denied".
            return _NO_PROCESS if ctypes.get_last_error() == invalid_parameter else None
        try:
            code = wintypes.DWORD()
            if not kernel.GetExitCodeProcess(handle, ctypes.byref(code)):
                return None
            if code.value != still_active:
                return _NO_PROCESS
            times = [wintypes.FILETIME() for _ in range(4)]
            if not kernel.GetProcessTimes(handle, *[ctypes.byref(one) for one in times]):
                return None
            return f"{(times[0].dwHighDateTime << 32) + times[0].dwLowDateTime:x}"
        finally:
            kernel.CloseHandle(handle)

else:

    def _instant(pid: int) -> str | None:
        # macOS and the BSDs: no /proc; in this language and time zone `ps` always prints the same start.
        listing = subprocess.run(
            ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
            capture_output=True,
            check=False,
            env={"LC_ALL": "C", "TZ": "UTC"},
        )
        listed = listing.stdout.split(maxsplit=1)
        if len(listed) < 2 or listed[0].startswith(b"Z"):
            return _NO_PROCESS
        return hashlib.sha256(listed[1].strip()).hexdigest()[:12]
