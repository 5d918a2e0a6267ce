# image.sh - for sourcing by ../image.sh: the crypto domain's image.
. "$HERE/domc/image.sh"
scenario_image() { domc_image "$1"; }
