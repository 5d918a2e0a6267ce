"""Memory and processor time of process groups, from /proc."""
import os
import pathlib

PROC = pathlib.Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")


def stats():
    """{pid: (comm, ppid, ticks)}"""
    out = {}
    for d in PROC.glob("[0-9]*"):
        try:
            text = (d / "stat").read_text()
        except OSError:
            continue
        comm = text[text.index("(") + 1:text.rindex(")")]
        f = text[text.rindex(")") + 2:].split()
        # Its children that are gone count as well.
        out[int(d.name)] = (comm, int(f[1]), sum(int(x) for x in f[11:15]))
    return out


def descendants(root, all_=None):
    """root and all below it."""
    all_ = all_ or stats()
    below, found = {root}, True
    while found:
        found = {p for p, (_, parent, _) in all_.items() if parent in below} - below
        below |= found
    return below


def seconds(root):
    """Processor seconds that a process and all below it have used so far."""
    all_ = stats()
    return sum(all_[p][2] for p in descendants(root, all_) if p in all_) / TICK


def memory(root, comm=None):
    """{pid: (private KiB, proportional KiB)} of a process and all below it."""
    all_ = stats()
    out = {}
    for pid in descendants(root, all_):
        if pid not in all_ or (comm and all_[pid][0] != comm):
            continue
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kib = [(x.split(":")[0], int(x.split()[1])) for x in lines[1:]]
        out[pid] = (sum(v for k, v in kib if k.startswith("Private_")),
                    sum(v for k, v in kib if k == "Pss"))
    return out
