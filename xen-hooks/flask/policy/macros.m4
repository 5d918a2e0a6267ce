m4_dnl macros.m4 - what the files of the policy have in common.  compile.sh reads it first.
m4_dnl
m4_dnl	DOMAIN(X)	X is a label of domains: also X_self, its label towards itself, and
m4_dnl			X_channel, that of its ends of event channels; what every domain may do
m4_dnl	DOMAIN(X, Y)	the same, but that its ends of event channels are labelled as Y's
m4_dnl	BUILDING(X)	X_building is what a domain that becomes X is until it is complete
m4_dnl	HEARS(A, B)	A may send events to B
m4_dnl	TALKS(A, B)	A and B exchange events, and map what the other grants
m4_dnl	RINGS(A, B)	A maps what B's builder grants it for B, while B is being built
m4_dnl	BUILDS(S, T)	S makes domains with the label T, and gives them memory and registers
m4_dnl	FINISHES(S, X)	S turns X_building into X, and starts and ends it
m4_dnl	DRIVES(S, R)	S uses hardware with the label R, and sets it up
m4_define(`DOMAIN', `
type $1, domain_type;
type $1_self, self_type;
m4_ifelse(`$2', `', `type $1_channel, channel_type;', `typealias $2_channel alias $1_channel;')
type_transition $1 $1:domain $1_self;
type_transition $1 { domain_type building_type self_type }:event $1_channel;
allow $1 $1_self:mmu { adjust stat physmap map_read map_write updatemp pinpage mmuext_op exchange };
allow $1 $1_self:grant { query setup map_read map_write copy unmap };
allow $1 $1_self:hvm { getparam setparam };
allow $1 $1_self:domain2 get_vnumainfo;
allow $1 $1_channel:event { create send status };
allow $1_channel $1_self:event bind;')m4_dnl
m4_define(`BUILDING', `
type $1_building, building_type;
type_transition $1_building { domain_type building_type }:event $1_channel;
allow $1_building $1:domain transition;')m4_dnl
m4_define(`HEARS', `
allow $1 $1_channel:event { create send status };
allow $1_channel $2:event bind;')m4_dnl
m4_define(`TALKS', `HEARS(`$1', `$2')HEARS(`$2', `$1')
allow $1 $2:grant { map_read map_write copy unmap };
allow $2 $1:grant { map_read map_write copy unmap };')m4_dnl
m4_define(`RINGS', `
allow $1 $2_building:grant { map_read map_write unmap };
allow $1 $2_building:domain getdomaininfo;
allow $1_channel $2_building:event bind;')m4_dnl
m4_define(`BUILDS', `
allow $1 $2:domain {
	create destroy getdomaininfo hypercall max_vcpus setdomainmaxmem setdomainhandle
	setaddrsize getaddrsize setvcpucontext getvcpucontext getvcpuinfo getscheduler
	setaffinity getaffinity settime set_misc_info getpagingmempool setpagingmempool
};
allow $1 $2:domain2 {
	set_cpu_policy get_cpu_policy settsc setscheduler setclaim get_vnumainfo
	set_vnumainfo resource_map cacheflush
};
allow $1 $2:mmu {
	map_read map_write adjust stat memorymap physmap pinpage mmuext_op updatemp
};
allow $1 $2:hvm { getparam setparam hvmctl sethvmc gethvmc };
allow $1 $2:shadow enable;
allow $1 $2:grant setup;')m4_dnl
m4_define(`FINISHES', `
allow $1 $2_building:domain2 relabelfrom;
allow $1 $2:domain2 relabelto;
allow $1 $2:domain { getdomaininfo pause unpause shutdown destroy };
allow $1 $2_channel:event create;')m4_dnl
m4_define(`DRIVES', `
allow $1 $2:resource { add_irq remove_irq setup use_iommu };')m4_dnl
