"""Shuts itself in by Landlock and namespaces, then becomes the program: for machines without bubblewrap.

    python -I -S enter.py ORDER        ORDER is JSON, made by landlock.py

A plain script that needs nothing but Python's own library. What cannot be had is an error, never a weaker wall: either
namespaces of its own for processes, network and mounts, and a root with nothing in it but what ORDER names; or a kernel
whose Landlock keeps signals inside (6.12), and a filter, which ORDER holds, that refuses what it leaves open.

Sources: landlock(7), user_namespaces(7), mount_namespaces(7), pivot_root(2), seccomp(2) of the Linux manual; for what
CUDA needs, pull requests 710 of NVIDIA/OpenShell and 673 of nolabs-ai/nono.
"""

import ctypes
import json
import os
import signal
import stat
import struct
import sys
from typing import Any, NoReturn

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
FS_RIGHTS = {1: 2**13 - 1, 2: 2**14 - 1, 3: 2**15 - 1, 4: 2**15 - 1, 5: 2**16 - 1}
"""By version of Landlock; later ones know no more that is needed."""
TCP = 3
SCOPES = 3  # abstract sockets and signals

NEW_NAMESPACES = 0x10000000 | 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000
"""User, mounts, processes, network, System V IPC, host name."""
PRIVATE_RECURSIVELY = (1 << 18) | (1 << 14)
NOSUID, NODEV, NOEXEC = 2, 4, 8
NO_NEW_PRIVILEGES, DEATH_SIGNAL, SECCOMP = 38, 1, 22
BIND, WITH_ALL_BELOW = 4096, 1 << 14
MOUNT_SETATTR, HERE, RECURSIVELY, READ_ONLY = 442, -100, 0x8000, 1
DETACH = 2
CAPABILITIES_VERSION = 0x20080522

OLD = "/.old"
SCRATCH = "/dev/shm"
NODES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
"""Without /dev/zero, of which comes memory that nobody counts; beside a GPU it is needed."""
STREAMS = (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2"))

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    order = json.loads(sys.argv[1])
    if order["devices"]:
        order["devices"].append("/dev/zero")
    libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        leave("this kernel has no Landlock")
    apart = bool(order["namespaces"])
    if apart:
        own_namespaces(order)
    elif version < 6:
        leave("its Landlock keeps no signals inside")
    scratch = SCRATCH if apart else next(iter(order["writable"]), "/")
    for name, place in order["at_home"].items():
        link(f"{scratch}/{name}", place)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    restrict(version, order, apart)
    if not apart:
        install(order["filter"])
        give_up_privileges()
    os.chdir(order["directory"])
    environment = {**order["environment"], "TMPDIR": scratch, "HOME": scratch}
    os.execve(order["argv"][0], order["argv"], environment)


def link(path: str, place: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.lexists(path):
        os.symlink(place, path)


def own_namespaces(order: dict[str, Any]) -> None:
    """Go on in namespaces of one's own, with a root of one's own."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(NEW_NAMESPACES) != 0:
        leave(f"no namespaces ({os.strerror(ctypes.get_errno())})")
    for name, content in (("setgroups", "deny"), ("uid_map", f"1000 {user} 1"), ("gid_map", f"1000 {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(content)
    child = os.fork()
    if child:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda got, _: os.kill(child, got))
        status = wait_for(child)
        os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
    libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    program = os.fork()
    if program:  # the first process of a namespace has to bury orphans; when it ends, all end
        os._exit(bury_until(program))
    mount("none", "/", None, PRIVATE_RECURSIVELY, None)
    own_root(order)


def wait_for(child: int) -> int:
    while True:
        try:
            return os.waitpid(child, 0)[1]
        except InterruptedError:
            continue


def bury_until(program: int) -> int:
    """The exit code of the program, its signal's number plus 128."""
    while True:
        pid, status = os.wait()
        if pid == program:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def mount(source: str, place: str, kind: str | None, flags: int, data: str | None) -> None:
    words = [None if word is None else word.encode() for word in (source, place, kind)]
    if libc.mount(*words, ctypes.c_ulong(flags), None if data is None else data.encode()) != 0:
        leave(f"{place} cannot be mounted ({os.strerror(ctypes.get_errno())})")


def own_root(order: dict[str, Any]) -> None:
    """What is not named is not there: Landlock hides no name, guards no mode, owner or time of a file, and lets a
    program reach the sockets of others by their path."""
    mount("tmpfs", SCRATCH, "tmpfs", NOSUID | NODEV, "mode=755")
    os.mkdir(SCRATCH + OLD)
    if libc.pivot_root(SCRATCH.encode(), (SCRATCH + OLD).encode()) != 0:
        leave(f"no root of its own ({os.strerror(ctypes.get_errno())})")
    os.chdir("/")
    os.makedirs(SCRATCH)
    mount("tmpfs", SCRATCH, "tmpfs", NOSUID | NODEV, f"size={order['scratch_bytes']},mode=1777")
    os.mkdir("/proc")
    for path in order["links"]:
        way_to(path)
    shown = {way_to(path): way_to(path) for path in (*order["readable"], *NODES, *order["devices"])}
    shown |= {way_to(place): way_to(source) for source, place in order["moved"]}
    for place, source in sorted(shown.items()):  # who holds another comes before it
        if os.path.lexists(OLD + source):
            bind(source, place)
            set_mounts(place, RECURSIVELY, READ_ONLY, 0)
    for path in order["writable"]:
        bind(way_to(path), way_to(path))
    for name, number in STREAMS:
        os.symlink(f"/proc/self/fd{number}", f"/dev/{name}")
    mount("proc", "/proc", "proc", NOSUID | NODEV | NOEXEC, None)
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")  # in one of its own it could mount what nobody counts
    if libc.umount2(OLD.encode(), DETACH) != 0:
        leave(f"the old root stays ({os.strerror(ctypes.get_errno())})")
    os.rmdir(OLD)
    set_mounts("/", 0, READ_ONLY, 0)


def way_to(path: str) -> str:
    """Make the directories and links that lead to `path` in the old root; where it really is."""
    here, waiting = "/", path.split("/")
    while waiting:
        name = waiting.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            here = os.path.dirname(here)
            continue
        there = os.path.join(here, name)
        if os.path.islink(OLD + there):
            target = os.readlink(OLD + there)
            if not os.path.lexists(there):
                os.symlink(target, there)
            here = "/" if target.startswith("/") else here
            waiting = target.split("/") + waiting
        else:
            if os.path.isdir(OLD + there) and not os.path.isdir(there):
                os.mkdir(there)
            here = there
    return here


def bind(source: str, place: str) -> None:
    if not os.path.lexists(place):
        open(place, "x").close()
    mount(OLD + source, place, None, BIND | WITH_ALL_BELOW, None)


def set_mounts(place: str, how: int, on: int, off: int) -> None:
    attributes = struct.pack("QQQQ", on, off, 0, 0)
    size = ctypes.c_size_t(len(attributes))
    if libc.syscall(MOUNT_SETATTR, HERE, place.encode(), how, attributes, size) != 0:
        leave(f"the mount of {place} cannot be changed ({os.strerror(ctypes.get_errno())})")


def restrict(version: int, order: dict[str, Any], apart: bool) -> None:
    rights = FS_RIGHTS[min(version, 5)]
    attributes = struct.pack("QQQ", rights, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        leave(f"no Landlock ruleset ({os.strerror(ctypes.get_errno())})")
    reading = READ_FILE | READ_DIR | EXECUTE
    for path in order["writable"]:
        allow(ruleset, path, rights)
    for path in (*NODES, *order["devices"]):
        allow(ruleset, path, READ_FILE | WRITE_FILE | (IOCTL_DEV & rights))
    if apart:
        allow(ruleset, "/", reading)
        allow(ruleset, SCRATCH, rights)
    else:
        for path in order["readable"]:
            allow(ruleset, path, reading)
        for path in order["listable"]:
            allow(ruleset, path, READ_DIR)
        for name in ("self", "cpuinfo", "meminfo", "stat", "loadavg", "filesystems", "sys/vm"):
            allow(ruleset, f"/proc/{name}", reading, keep=True)
        for name in ("driver/nvidia", "driver/nvidia-uvm", "devices", "modules") if order["devices"] else ():
            allow(ruleset, f"/proc/{name}", reading, keep=True)
    if order["devices"]:  # CUDA gives its threads names, and does not start (error 304) where it may not
        allow(ruleset, "/proc/self/task", READ_FILE | READ_DIR | WRITE_FILE, keep=True)
    if libc.syscall(RESTRICT_SELF, ruleset, 0) != 0:
        leave(f"Landlock refuses ({os.strerror(ctypes.get_errno())})")
    os.close(ruleset)


def allow(ruleset: int, path: str, rights: int, keep: bool = False) -> None:
    """A rule goes by the file itself, and one of /proc is another as soon as nobody holds it: `keep` holds it."""
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there need not be allowed
    if not stat.S_ISDIR(os.fstat(handle).st_mode):
        rights &= OF_FILES
    rule = struct.pack("=Qi", rights, handle)
    if libc.syscall(ADD_RULE, ruleset, 1, rule, 0) != 0:
        leave(f"{path} cannot be allowed ({os.strerror(ctypes.get_errno())})")
    if keep:
        os.set_inheritable(handle, True)
    else:
        os.close(handle)


def give_up_privileges() -> None:
    """Who is root outside would be so inside, too; no program that it starts gets them back."""
    header, none = struct.pack("Ii", CAPABILITIES_VERSION, 0), bytes(24)
    if libc.capset(header, none) != 0:
        leave(f"privileges stay ({os.strerror(ctypes.get_errno())})")


def install(filter_of_calls: str | None) -> None:
    if filter_of_calls is None:
        leave("the calls of this processor are not known")
    code = bytes.fromhex(filter_of_calls)
    kept = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(kept))
    if libc.prctl(SECCOMP, 2, filters, 0, 0) != 0:
        leave(f"no filter ({os.strerror(ctypes.get_errno())})")


def leave(why: str) -> NoReturn:
    print(f"the sandbox cannot be made: {why}", file=sys.stderr)
    os._exit(126)


if __name__ == "__main__":
    main()
