# The contract of every transport (tests/contract), over vchan on real Xen.
guest one 256 && start one && finish one
