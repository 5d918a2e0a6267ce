# The contract of every transport (tests/contract): over vchan between two domains, neither of them
# dom0, and over vsock within one of them, where vsmd then serves an application.
guest near 320 && guest far 192 "near=$(id_of near)" || return
start near && start far
order near "$(id_of far)"
finish near far
