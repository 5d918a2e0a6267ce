# image.sh - for sourcing by the scenarios' image.sh: the crypto domain's image, as its builder makes it.
#
#	domc_image DIR	puts it there
#
# With the embedded TPM: there is no DomT in these scenarios (tests/xen/domt has one).
#
# $CAAS_DOMC_FLAVOUR and $CAAS_DOMC_COMPRESS are for the builder; $CAAS_DOMC_IMAGE is a directory
# in which it has been already.  Otherwise it works in our build, where another scenario finds its
# programs compiled.
domc_image() { # DIR
	local made=${CAAS_DOMC_IMAGE:-}
	if [ -z "$made" ]; then
		made=$BUILD/tests/xen/domc
		"$ROOT/xen-hooks/domc/build" --tpm embedded -o "$made" --cache "$CACHE/domc" \
			--flavour "${CAAS_DOMC_FLAVOUR:-cloud}" --compress "${CAAS_DOMC_COMPRESS:-zstd}" ||
			return 1
	fi
	cp "$made/vmlinux" "$made/initramfs" "$made/cmdline" "$1/" && cp "$HERE/domc/block" "$1/"
}
