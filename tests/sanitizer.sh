# sanitizer.sh - for sourcing: vsmd may be built with sanitizers, its clients are not.
#
#	CAAS_BUILD=build-sanitize       vsmd, caas and our own test programs have them
#	CAAS_P11_MODULE=FILE            the module for unmodified programs, of a build without:
#	                                they would have to preload libasan
#	CAAS_CLIENT_MODULE=FILE         the one for our own programs, which have it in them
#	sanitizer_silent LOG            false, with the first lines, when one has spoken
#
# A worker that is ended by a sanitizer is a lost channel to its guest, which finds another: a
# test may pass none the less.
sanitizer_silent() {
	[ -f "$1" ] || return 0
	! grep -E -A 12 'Sanitizer|runtime error:|signal (4|6|7|8|11|31)\b' "$1" | head -n 60 | sed 's/^/# /' | grep .
}
