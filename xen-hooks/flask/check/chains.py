#!/usr/bin/python3
# chains.py - prove on a compiled policy that nobody gets at a pair, at DomT, or at the policy.
#
#	chains.py [--building] POLICY...
#
# Whoever controls Dom0 (or an ordinary guest, a pair's guest, a crypto domain) controls what it may
# build, write to, map, debug or relabel, and what these may, and so on.  For each domain type that
# such a chain reaches, each of its rights must be one of those listed here as harmless: a right that
# nobody has thought of is refused.  Dom0's rights on a label that is being built are
# listed too (--building prints them).  Prints each chain that leads further, and exits 1;
# of several policies, under the name of each.
import argparse
import collections
import sys
from rules import Rules

RUNNING = {"domT_t", "domC_t", "domU_pair_t"}
BUILDING = {t + "_building" for t in RUNNING}
XEN = "xenboot_t"  # the hypervisor until Dom0 runs: it makes Dom0, and no domain is it
BOOT = "dom0_boot_t"  # Dom0 until it gives up: trusted, and nobody becomes it again
PROTECTED = RUNNING | BUILDING | {BOOT}
STARTS = ("dom0_t", "domU_t", "dm_dom_t", "domU_pair_t", "domC_t")


def rights(text):
    """{"class": {permissions}} of lines `class permission ...'."""
    return {(w[0], p) for w in (line.split() for line in text.splitlines()) if w for p in w[1:]}


# Pages that a domain grants, to this domid and for as long as it likes; signals on a channel that
# both have opened.
GRANTED = rights("grant map_read map_write unmap copy\nevent bind")
# xenstored and xenconsoled each map a page that the builder grants for a domain that is being built,
# are sent events of it, and ask whether it is there.
RINGS = rights("grant map_read map_write unmap\nevent bind\ndomain getdomaininfo")
HARMLESS = {
    # A domain that runs: that it is there, and its end, which costs the service and nothing else.
    "domT_t": GRANTED | rights("domain getdomaininfo"),
    "domC_t": GRANTED | rights("domain getdomaininfo destroy"),
    "domU_pair_t": GRANTED | rights("domain getdomaininfo destroy"),
    # DomT is built before Dom0 gives up; the channels of that time stay Dom0's.
    "domT_t_building": rights("event bind"),
    BOOT + "_self": rights("event bind"),
    "domC_t_building": RINGS,
    "domU_pair_t_building": RINGS,
    # Dom0 is not for guests to control, either.
    "dom0_t": GRANTED,
    BOOT: GRANTED,
    # The hypervisor: what can be read of it, its console, the power switch, and who runs on which
    # processors, for which there are no finer permissions.
    "xen_t": rights("""
        xen readconsole writeconsole sleep physinfo heap getscheduler cpupool_op
        xen2 get_cpu_levelling_caps get_cpu_featureset
        version xen_extraversion xen_compile_info xen_capabilities xen_changeset xen_pagesize
        version xen_guest_handle xen_commandline
        """),
    # Xen's table of which frame is where in whose memory; numbers, no memory.
    "domxen_t": rights("mmu map_read"),
    "security_t": rights("security check_context"),
    # Registers of devices that Xen lets this domain have.
    "domio_t": rights("mmu map_read map_write"),
    # Interrupts, and devices behind an IOMMU that remaps them.
    "irq_t": rights("resource add_irq remove_irq setup use_iommu"),
    "device_t": rights("resource add_irq remove_irq setup use_iommu"),
}
# Towards a domain that is not protected, whatever is not among these makes it the attacker's.
DISTANT = GRANTED | rights("domain getdomaininfo\nevent create send status")
# What is done to a protected domain that runs, by whom it is meant for.
KEEPS = rights("domain getdomaininfo pause unpause shutdown destroy\ndomain2 relabelto")
SWITCHES = {"load_policy", "setenforce", "setbool", "setsecparam", "add_ocontext", "del_ocontext"}
SIDS = {"xenboot": "xenboot_t", "xen": "xen_t", "dom0": BOOT, "domio": "domio_t", "domxen": "domxen_t",
        "unlabeled": "unlabeled_t", "security": "security_t", "ioport": "ioport_t",
        "iomem": "iomem_t", "irq": "irq_t", "device": "device_t", "domU": "domU_t",
        "domDM": "dm_dom_t"}
PAGES = {0xfed40: "tis0_t", 0xfed41: "tis_t", 0xfed42: "tis2_t", 0xfed43: "tis_t", 0xfed44: "tis_t"}


class Chains:
    def __init__(self, rules):
        self.rules = rules
        self.found = []

    def say(self, text):
        if text not in self.found:
            self.found.append(text)

    @staticmethod
    def domain_of(label):
        """The domain type whose label towards itself, or whose channels', this is."""
        for suffix in ("_self", "_channel"):
            if label.endswith(suffix):
                return label[:-len(suffix)]
        return label

    def rights_of(self, domain):
        """Each right of a domain on others.  Its ends of channels have some, too; and what it could
        label with one of its own three labels, would have those of that label."""
        own = (domain, domain + "_self", domain + "_channel")
        for source in own:
            for target, c, p in sorted(self.rules.held(source)):
                if target not in own[1:]:
                    yield target, c, p

    def follow(self, start):
        """From a domain that the attacker has, every right of every domain that becomes his."""
        path = {start: start}
        queue = collections.deque([start])
        while queue:
            source = queue.popleft()
            for target, c, p in self.rights_of(source):
                step = f"{path[source]} -[{c}:{p}]-> {target}"
                domain = self.domain_of(target)
                if target in HARMLESS:
                    if (c, p) not in HARMLESS[target]:
                        self.say(step)
                elif domain in PROTECTED or domain not in self.rules.domains:
                    self.say(step)
                elif (c, p) not in DISTANT and domain not in path:
                    path[domain] = step
                    queue.append(domain)

    def running(self):
        """Nobody has more of a domain that runs than its start and end: not DomT, and not another
        domain of its type.  Nor does it become anything else."""
        for domain in sorted(self.rules.types):
            for target, c, p in self.rights_of(domain):
                step = f"{domain} -[{c}:{p}]-> {target}"
                if self.domain_of(target) in RUNNING and c != "event":
                    built = (domain, c, p) == (target + "_building", "domain", "transition")
                    if (c, p) not in KEEPS | GRANTED and not built:
                        self.say(step)
                if domain in RUNNING and p in ("transition", "relabelself"):
                    self.say(step)
                if p == "relabelfrom" and target not in BUILDING:
                    self.say(step)

    def everybody(self):
        """What nobody at all may do."""
        for source in sorted(self.rules.allowed):
            for target, c, p in sorted(self.rules.held(source)):
                step = f"{source} -[{c}:{p}]-> {target}"
                if c == "security" and p in SWITCHES:
                    self.say(step)
                made = (source, c, p) == (XEN, "domain", "create")
                if target == BOOT and not made and \
                        p in ("create", "transition", "relabelto", "relabelself"):
                    self.say(step)
                if target == "tis2_t" and p not in ("remove_iomem", "remove_irq", "remove_ioport"):
                    users = {BOOT, "domT_t", "domT_t_building"} if p.startswith("use_") else {BOOT}
                    if source not in users:
                        self.say(step)

    def labels(self):
        for fault in self.rules.faults:
            self.say(fault)
        for sid, label in SIDS.items():
            if self.rules.sids.get(sid) != label:
                self.say(f"initial SID {sid} is {self.rules.sids.get(sid)}, not {label}")
        if (BOOT, "domain", "create") not in self.rules.held(XEN):
            self.say("Xen may not make Dom0: it does not boot")
        for page, label in PAGES.items():
            have = {t for low, high, t in self.rules.iomem if low <= page <= high} or {"no label"}
            if have != {label}:
                self.say(f"page {page:x} is {', '.join(sorted(have))}, not {label}")
        own = {(t, t, t + "_self") for t in self.rules.domains if t + "_self" in self.rules.types}
        for rule in sorted(self.rules.domain_transitions ^ own):
            self.say("type_transition %s %s:domain %s: no domain is towards itself but its own"
                     " _self" % rule)


def judge(policy, building):
    """Print what there is to say of a policy; whether there is no chain."""
    chains = Chains(Rules(policy))
    chains.labels()
    for start in STARTS:
        chains.follow(start)
    chains.running()
    chains.everybody()
    for found in chains.found:
        print(f"chain: {found}")
    if building:
        for target, c, p in chains.rights_of("dom0_t"):
            if target in BUILDING:
                print(f"building: {target} {c} {p}")
    if not chains.found:
        print(f"no chain from {', '.join(STARTS)}")
    return not chains.found


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--building", action="store_true")
    arguments.add_argument("policies", metavar="POLICY", nargs="+")
    arguments = arguments.parse_args()
    good = True
    for policy in arguments.policies:
        if len(arguments.policies) > 1:
            print(f"== {policy}")
        good = judge(policy, arguments.building) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
