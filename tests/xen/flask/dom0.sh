# Under FLASK, enforcing: DomT and a pair are made while dom0 boots, dom0 gives up, and then tries
# to get at them.  What it may do to a plain guest it does in the same way, so that it would notice if
# the attempts failed for another reason.
#
# The policy is caas-lab: domtd runs in dom0, and makes the pair before dom0 gives up; there is no
# IOMMU.
role=system_u:system_r

# tries NAME command...: ok when it succeeds.  denied NAME command...: ok when it fails, but not
# because it was not there or did not end.
tries() {
	local name=$1
	shift
	if timeout -k 5 240 "$@" >/tmp/out 2>&1 </dev/null; then
		ok "$name"
	else
		bad "$name" "exit $?: $(tail -n 1 /tmp/out)"
	fi
}
denied() {
	local name=$1 rc
	shift
	timeout -k 5 240 "$@" >/tmp/out 2>&1 </dev/null
	rc=$?
	case $rc in
	0 | 124 | 126 | 127 | 137 | 143) bad "$name" "exit $rc: $(tail -n 1 /tmp/out)" ;;
	*) ok "$name" ;;
	esac
}
# said NAME PATTERN: ok when the last of these printed it.
said() { if grep -qE -- "$2" /tmp/out; then ok "$1"; else bad "$1" "it says: $(head -n 3 /tmp/out)"; fi; }
# labelled NAME LABEL: ok when Xen says that the domain has it.
labelled() {
	xl list -Z >/tmp/out 2>&1
	if awk -v d="$1" -v l="$role:$2" '$1 == d && $NF == l { f = 1 } END { exit !f }' /tmp/out; then
		ok "$1 is $2"
	else
		bad "$1 is $2" "$(grep "^$1 " /tmp/out)"
	fi
}
labels() { settings="init_seclabel='$role:$1_building'
seclabel='$role:$1'"; }
# Whether the domain is paused after `xl pause', which exits 0 whatever came of it.
pauses() {
	xl pause "$1" >/tmp/out 2>&1
	xl list "$1" 2>&1 | awk 'NR == 2 && substr($5, 3, 1) == "p" { p = 1 } END { exit !p }'
}
# enforced NAME: ok when FLASK is.
enforced() {
	flask-getenforce >/tmp/out 2>&1
	said "$1" '^Enforcing'
}
# The last denial of what was just tried.  Xen says what, of whom.
avc() { # NAME PATTERN
	xl dmesg >/tmp/out 2>&1
	said "$1" "avc: +denied +\{ .*$2"
}

enforced "FLASK is enforced"
grep -q '^Enforcing' /tmp/out || return
labelled Domain-0 dom0_boot_t
denied "dom0 cannot switch enforcement off, even while it boots" flask-setenforce 0
avc "as Xen says" "setenforce .*scontext=$role:dom0_boot_t .*tclass=security"

labels domT_t
settings="$settings
iomem=['fed42,1']"
guest domt 192 || return
labelled domt domT_t
start domt && step domt mapped

command -v domtd >/dev/null || {
	bad "domtd" "it was built without libxl"
	return
}
. /xen/pairs.sh
forwarder
describe web
# The description's sections, each with its labels.
awk -v r="$role" '{ print } /^\[dom[cu]\]$/ {
	t = $0 == "[domc]" ? "domC_t" : "domU_pair_t"
	print "seclabel = " r ":" t "\ninit-seclabel = " r ":" t "_building"
}' /etc/caas/pairs/web.conf >/tmp/web.conf && cat /tmp/web.conf >/etc/caas/pairs/web.conf
builder || return
CHECK_LIMIT=240
check "domtd makes a pair while dom0 boots" caas pair create web
said "DomC serves before the guest runs" 'DomC serves'
there
guests="domt $guests"
labelled domc domC_t
labelled domu domU_pair_t
check "the pair is listed" caas pair list
said "and what XSM's policy has to see to" '^not protected: domtd runs in dom0: .* XSM'
step domc serving

# The rest is what a hostile dom0 could try.
tries "while it boots, dom0 has the TPM's locality 2" devmem 0xfed42000 8
tries "dom0 gives up" caas-flask-drop --tpm
labelled Domain-0 dom0_t
tries "twice is no mistake" caas-flask-drop --tpm
settings=
guest plain 192 && start plain || return
labelled plain domU_t
step plain up
order domu go
step domu signed

tries "a plain guest's memory can be mapped" caas-xen-map "$plain_id"
said "and read" '^mapped '
tries "a plain guest can be dumped" xl dump-core plain /dev/null
if pauses plain; then ok "a plain guest can be paused"; else bad "a plain guest can be paused" "it is not"; fi
xl unpause plain

for g in domt:domT_t domc:domC_t domu:domU_pair_t; do
	label=${g#*:} g=${g%:*}
	denied "the memory of $g cannot be mapped" caas-xen-map "$(id_of $g)"
	said "and that is FLASK's doing" '^denied .*Permission denied'
	avc "as Xen says" "map_read .*tcontext=$role:$label .*tclass=mmu"
	if pauses $g; then bad "$g cannot be paused" "it is" && xl unpause $g; else ok "$g cannot be paused"; fi
	avc "as Xen says" "pause .*tcontext=$role:$label .*tclass=domain"
	denied "the processors of $g cannot be pinned" xl vcpu-pin $g 0 0
	denied "$g cannot be given less memory" xl mem-max $g 300
	denied "$g cannot be dumped" xl dump-core $g /dev/null
	denied "$g cannot be saved" xl save $g /dev/null
done
tries "a plain guest can be saved" xl save plain /dev/null
guests=${guests% plain}

# It has a name of its own each time: that there is one already would be no denial.
for l in domT_t domC_t domU_pair_t dom0_boot_t domT_t_building domC_t_building dm_dom_t; do
	denied "no guest can be made as $l" xl create -q -p /tmp/plain.cfg \
		"name='new$l'" "seclabel='$role:$l'" "init_seclabel='$role:$l'"
	avc "as Xen says" "create .*tcontext=$role:$l .*tclass=domain"
done
denied "no guest is given the TPM's locality 2" xl create -q -p /tmp/plain.cfg \
	"name='newtpm'" "iomem=['fed42,1']"
denied "dom0 does not have it either" devmem 0xfed42000 8
denied "dom0 cannot become what it was" caas-flask-drop --label $role:dom0_boot_t
said "since it may not" 'cannot become .*Permission denied'

denied "enforcement cannot be switched off" flask-setenforce 0
avc "as Xen says" "setenforce .*scontext=$role:dom0_t .*tclass=security"
enforced "it is on"
# This exits 0 whatever came of it.
flask-loadpolicy /tmp/plain.cfg >/tmp/out 2>&1
said "no other policy can be loaded" '^XSM operation failed'
avc "as Xen says" "load_policy .*scontext=$role:dom0_t .*tclass=security"
denied "Xen's debugging keys are dead" xl debug-keys q
avc "as Xen says" "debug .*scontext=$role:dom0_t .*tclass=xen"
tries "dom0 sees which domains there are" xl list
tries "domtd still lists the pair" caas pair list
said "which runs" '^web +up '
sed s/dom[cu]$/&2/ /etc/caas/pairs/web.conf >/etc/caas/pairs/again.conf
denied "but makes none any more" caas pair create again
tries "it reads what Xen says" xl dmesg

order domu again
finish domu
order domc stop
step domc done && tries "a crypto domain can be ended" xl destroy domc
# Last, since xl takes its devices away before it asks Xen.
denied "domt cannot be destroyed" xl destroy domt
until_gone domu "its guest goes with it, which domtd still may see to"
domtd_log
