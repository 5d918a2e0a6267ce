"""unseen.py - kill a process so that its parent does not see the end of it.

    unseen.py kill PID SECONDS    kill it, say `dead' when it is; the parent sees that after
                                  so many seconds
    unseen.py true                succeeds when that can be done here

The end of a traced process is the tracer's to see first."""
import ctypes
import os
import signal
import subprocess
import sys
import time

PTRACE_SEIZE = 0x4206


def state(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(")")[2].split()[0]


def kill(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_SEIZE, pid, None, None) != 0:
        sys.exit("ptrace: " + os.strerror(ctypes.get_errno()))
    os.kill(pid, signal.SIGKILL)
    while state(pid) != "Z":
        time.sleep(0.01)


if sys.argv[1] == "true":
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        kill(sleeper.pid)
    finally:
        sleeper.kill()
else:
    kill(int(sys.argv[2]))
    print("dead", flush=True)
    time.sleep(float(sys.argv[3]))
# With the tracer's own end the parent sees it.
