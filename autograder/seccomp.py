"""A filter on system calls, for what namespaces and limits do not stop.

Memory that belongs to no process (memfd, System V segments, message queues)
escapes the count of a sandbox's memory; nested namespaces, tracing, keys and
io_uring have no place in an exercise and widen the way into the kernel. The
calls fail with "not permitted"; nothing is killed.

Numbers: Linux's arch/x86/entry/syscalls/syscall_64.tbl and
include/uapi/asm-generic/unistd.h; the filter's form: seccomp(2).
"""

from __future__ import annotations

import errno
import platform
import struct

# name: (x86_64, aarch64)
REFUSED = {
    "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "fsopen": (430, 430), "fsmount": (432, 432), "open_tree": (428, 428),
    "move_mount": (429, 429), "mount_setattr": (442, 442),
    "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "open_by_handle_at": (304, 265),
    "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104),
}
MACHINES = ("x86_64", "aarch64")
AUDIT = (0xC000003E, 0xC00000B7)  # AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64
CLONE = (56, 220)
CLONE3 = 435
CLONE_NEWUSER = 0x10000000
X32 = 0x40000000  # x86_64's second table of calls begins here

LOAD, EQUAL, AT_LEAST, BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FLAGS = 0, 4, 16  # offsets in struct seccomp_data
ALLOW, FAIL = 0x7FFF0000, 0x00050000


def program(machine: str | None = None) -> bytes:
    """The filter for `bwrap --seccomp`; empty for a machine it is not known for."""
    machine = machine or platform.machine()
    if machine not in MACHINES:
        return b""
    which = MACHINES.index(machine)
    refuse = (RETURN, 0, 0, FAIL | errno.EPERM)
    steps = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, AUDIT[which]), refuse,
             (LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32), refuse]
    for numbers in REFUSED.values():
        steps += [(EQUAL, 0, 1, numbers[which]), refuse]
    # clone3 hides its flags in memory: libc falls back on clone.
    steps += [(EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, FAIL | errno.ENOSYS),
              (EQUAL, 0, 3, CLONE[which]), (LOAD, 0, 0, FLAGS),
              (BITS, 0, 1, CLONE_NEWUSER), refuse, (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
