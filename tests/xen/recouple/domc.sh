# Serves whom it is coupled with.
. /xen/vsmd.sh
vsmd_for coupled
wait_order stop
