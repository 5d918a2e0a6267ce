# Both ends are in one process, as on other transports: the domain grants to itself.
CAAS_CONTRACT_DOMID=$DOMID timeout 420 contract vchan >/tmp/out 2>&1
rc=$?
# What failed is named twice by cmocka.
sed -nE "s/^\[ +OK +\] (test_.*)/@ ok \1/p
	s/^\[ +FAILED +\] (test_[a-z_]*)\$/@ bad \1: failed/p" /tmp/out | sort -u
if [ $rc != 0 ]; then bad "the suite passes" "exit $rc" && tail -n 40 /tmp/out; fi
