#!/usr/bin/python3
# count.py - how many privileged operations Dom0 holds, without FLASK and with a policy.
#
#	count.py [--markdown] [--at-least PERCENT] POLICY REASONS...
#
# An operation is a permission of FLASK.  Privileged are all those of CLASSES, which Xen checks where it
# would otherwise ask whether a domain is Dom0, but for UNPRIVILEGED ones; on itself, a domain holds
# OWN without any privilege.  Without FLASK, Dom0 holds them all.  With the policy it holds
# those that dom0_t has upon anything, be it one type or all; the same list is counted on both sides.
#
# REASONS are files of lines `class permission[,permission...] reason': each operation that remains
# has one, and each one remains.  Prints them, or a table; exits 1 when that is not so, or when fewer
# than PERCENT have gone.
import argparse
import sys
from rules import Rules

CLASSES = "xen xen2 domain domain2 hvm mmu resource shadow security version".split()
# What Xen lets every domain do: profile itself, use the performance counters that it was given, ask
# what Xen it runs on.
UNPRIVILEGED = {("xen", "nonprivprofile"), ("xen2", "pmu_use")} | {
    ("version", v) for v in ("xen_extraversion", "xen_compile_info", "xen_capabilities",
                             "xen_changeset", "xen_pagesize", "xen_guest_handle")}
# What every domain may do with its own memory and parameters.
OWN = {("mmu", p) for p in ("map_read", "map_write", "adjust", "stat", "updatemp", "physmap",
                            "pinpage", "mmuext_op", "exchange")} | {
    ("hvm", "getparam"), ("hvm", "setparam"), ("domain2", "get_vnumainfo")}
DOM0 = "dom0_t"
BOOT = "dom0_boot_t"


def privileged(rules):
    return {(c, p) for c, perms in rules.classes if c in CLASSES for p in perms} - UNPRIVILEGED


def remaining(rules, domain):
    """{operation: the types upon which the domain holds it}"""
    listed, held = privileged(rules), {}
    for target, c, p in rules.held(domain):
        if (c, p) in listed and not (target == domain + "_self" and (c, p) in OWN):
            held.setdefault((c, p), set()).add(target)
    return held


def reasons(paths):
    known = {}
    for path in paths:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                if line.strip() and not line.startswith("#"):
                    c, permissions, why = line.rstrip("\n").split(None, 2)
                    known.update(((c, p), why) for p in permissions.split(","))
    return known


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--markdown", action="store_true")
    arguments.add_argument("--at-least", type=float, default=0)
    arguments.add_argument("policy")
    arguments.add_argument("reasons", nargs="+")
    arguments = arguments.parse_args()
    rules = Rules(arguments.policy)
    before, after, why = privileged(rules), remaining(rules, DOM0), reasons(arguments.reasons)
    percent = 100 * (1 - len(after) / len(before))
    bad = [f"{c}:{p} remains, and nobody says why" for c, p in sorted(set(after) - set(why))]
    bad += [f"{c}:{p} has a reason, and does not remain" for c, p in sorted(set(why) - set(after))]
    if percent < arguments.at_least:
        bad.append(f"{percent:.1f} % fewer, not {arguments.at_least:g} %")
    if arguments.markdown:
        print("| operation | upon | why |\n|---|---|---|")
    for c, p in sorted(after, key=lambda o: (CLASSES.index(o[0]), o[1])):
        upon = ", ".join(sorted(after[c, p]))
        line = "| `{}:{}` | {} | {} |" if arguments.markdown else "{}:{}  ({})  {}"
        print(line.format(c, p, upon, why.get((c, p), "?")))
    if arguments.markdown:
        print()
    print(f"{len(before)} privileged operations before, {len(after)} after: {percent:.1f} % fewer."
          f" (Until it gives up, while the machine boots: {len(remaining(rules, BOOT))}.)")
    for text in bad:
        print(f"count: {text}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
