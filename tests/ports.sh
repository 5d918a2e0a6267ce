# ports.sh - for sourcing: TCP ports of this machine.
#
#	freeport        prints a free one, below those that the kernel gives to clients: nobody
#	                has it meanwhile who did not ask for it
#	waitport PORT   wait until somebody listens, at most ten seconds
freeport() {
	python3 -c '
import random, socket
while True:
	port = random.randrange(10000, 30000)
	try:
		socket.socket().bind(("127.0.0.1", port))
	except OSError:
		continue
	print(port)
	break'
}
waitport() {
	local i
	for i in $(seq 100); do
		(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
		sleep 0.1
	done
	return 1
}
