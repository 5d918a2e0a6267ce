# stays.sh - for sourcing by a guest's script: applications that stay (caas-e2e-client).
#
#	stays WHO ADDRESS	starts one
#	ask WHO NAME COMMAND	ok when it answers CKR_OK
#	fails WHO NAME COMMAND PATTERN	ok when it answers that (grep -E)
#
# Commands go in by /tmp/WHO.in, answers come out of /tmp/WHO.answers.
stays() {
	mkfifo "/tmp/$1.in"
	: >"/tmp/$1.answers" # which may be looked at before it is begun
	CAAS_VSM_ADDRESS=$2 caas-e2e-client "$CAAS_P11_MODULE" <"/tmp/$1.in" >"/tmp/$1.answers" 2>&1 &
	# Held open by somebody who does nothing else.
	sleep 100000 >"/tmp/$1.in" &
	eval "_$1=0"
}
_ask() { # WHO COMMAND: the answer is in $_answer
	local i=0 n
	eval "_$1=\$((_$1 + 1)) n=\$((_$1))"
	echo "$2" >"/tmp/$1.in"
	while [ "$(wc -l <"/tmp/$1.answers")" -lt "$n" ] && [ $i -lt 200 ]; do
		i=$((i + 1)) && sleep 0.3
	done
	_answer=$(sed -n "${n}p" "/tmp/$1.answers")
}
ask() {
	_ask "$1" "$3"
	case $_answer in
	"CKR_OK "*) ok "$2" ;;
	*) bad "$2" "$_answer" ;;
	esac
}
fails() {
	_ask "$1" "$3"
	if echo "$_answer" | grep -qE -- "$4"; then ok "$2"; else bad "$2" "$_answer"; fi
}
