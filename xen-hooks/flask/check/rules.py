# rules.py - what a compiled policy says, as chains.py and count.py look at it.
#
# Everything is read from the binary, as Xen will read it, with setools.  A rule that depends on a
# boolean counts as in force: whoever reads this wants to know what could ever be allowed.
# But for the initial SIDs: setools 4.4 and libsepol 3.4 give them the names of an older Xen, which
# had no `xenboot', and setools fails on one more than it knows.  `checkpolicy -b -F' lists
# them by their numbers; their names are here.
import collections
import re
import subprocess
import setools

SIDS = ("xenboot xen dom0 domio domxen unlabeled security ioport iomem irq device"
        " domU domDM").split()


def initial_sids(path):
    """The type of each initial SID, by its name in Xen 4.17."""
    source = subprocess.run(["checkpolicy", "-b", "-F", "-t", "Xen", "-o", "-", path],
                            capture_output=True, text=True, check=True).stdout
    types = re.findall(r"^sid \S+ [^:\s]+:[^:\s]+:([^:\s]+)$", source, re.MULTILINE)
    if len(types) != len(SIDS):
        raise ValueError(f"{path}: {len(types)} initial SIDs, not {len(SIDS)}")
    return dict(zip(SIDS, types))


class Rules:
    """types: all; domains: those of the attribute domain_type.
    allowed[source][target]: a set of (class, permission); attributes are expanded.
    domain_transitions: (source, target, default) of class domain.
    iomem: [(low, high, type)].  sids: the type of each initial SID.
    faults: what is wrong with the policy as a whole."""

    def __init__(self, path):
        policy = setools.SELinuxPolicy(path)
        self.classes = [(str(c), list(c.perms)) for c in policy.classes()]
        self.types = {str(t) for t in policy.types()}
        self.domains = {str(t) for t in policy.lookup_typeattr("domain_type").expand()}
        self.allowed = collections.defaultdict(lambda: collections.defaultdict(set))
        self.domain_transitions = set()
        for rule in policy.terules():
            kind = str(rule.ruletype)
            if kind == "allow":
                self._allow(rule)
            elif kind == "type_transition" and str(rule.tclass) == "domain":
                for s in rule.source.expand():
                    for t in rule.target.expand():
                        self.domain_transitions.add((str(s), str(t), str(rule.default)))
        self.iomem = [(c.addr.low, c.addr.high, str(c.context.type_)) for c in policy.iomemcons()]
        self.sids = initial_sids(path)
        self.faults = list(self._faults(policy))

    def _allow(self, rule):
        for s in rule.source.expand():
            for t in rule.target.expand():
                held = self.allowed[str(s)][str(t)]
                held.update((str(rule.tclass), p) for p in rule.perms)

    @staticmethod
    def _faults(policy):
        if str(policy.target_platform) != "xen":
            yield f"it is for {policy.target_platform}, not for Xen"
        if policy.version > 30:
            yield f"its version is {policy.version}, and Xen 4.17 reads 30 at most"
        if str(policy.handle_unknown) != "deny":
            yield f"what it does not know is not denied ({policy.handle_unknown})"
        if policy.mls:
            yield "it has levels (MLS), which its labels do not"
        for t in policy.types():
            if t.ispermissive:
                yield f"{t} is permissive: nothing is denied to it"

    def held(self, source):
        """Each (target, class, permission) that source has."""
        for target, operations in self.allowed.get(source, {}).items():
            for c, p in operations:
                yield target, c, p
