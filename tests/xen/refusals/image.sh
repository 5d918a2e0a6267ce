# image.sh - for sourcing by ../image.sh: as in domc.
. "$HERE/domc/image.sh"
