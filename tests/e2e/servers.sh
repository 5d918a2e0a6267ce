#!/bin/bash
# servers.sh - nginx, httpd (prefork and event) and stunnel serve TLS with a key behind the
# engine: new handshakes, a reload under load, new handshakes again.
NAME=servers
. "$(dirname "$0")/../clients.sh"
need nginx apache2 stunnel4 curl pkcs11-tool openssl

load() { # STEP PORT CRT COUNT
	sh_step "$1" "seq $4 | OPENSSL_CONF=/dev/null xargs -P 10 -I{} curl -sS -o /dev/null \
		--max-time 20 --cacert $3 https://localhost:$2/"
}

nginx_with() { # KEY
	local k=$1 port pid
	port=$(freeport)
	mkdir -p "ng-$k"
	sed -e "s|@DIR@|$WORK/ng-$k|g" -e "s|@PORT@|$port|g" \
		-e "s|engine:pkcs11:pkcs11:token=web;object=tls;type=private|engine:pkcs11:$key|" \
		-e "s|tls.crt|../$k.crt|" -e 's|^env CAAS.*|&\nenv SOFTHSM2_CONF;|' \
		"$root/examples/nginx/nginx.conf.in" >"ng-$k/nginx.conf"
	# SoftHSM2's own files are readable by their owner only.
	[ "$side" = ours ] || sed -i 's/^user .*/user root;/' "ng-$k/nginx.conf"
	mkdir -p "ng-$k/tmp"
	background nginx -p "$WORK/ng-$k" -c "$WORK/ng-$k/nginx.conf" -g 'daemon off;'
	pid=${background[-1]}
	sh_step "nginx-$k-starts" "for i in \$(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/$port) \
		2>/dev/null && exit 0; sleep 0.1; done; cat ng-$k/nginx.err; exit 1"
	load "nginx-$k" "$port" "$k.crt" 40
	sh_step "nginx-$k-reload-under-load" "
		(seq 60 | OPENSSL_CONF=/dev/null xargs -P 6 -I{} curl -sS -o /dev/null --max-time 20 \
			--retry 2 --retry-connrefused --cacert $k.crt https://localhost:$port/) & c=\$!
		sleep 0.3; kill -HUP $pid; sleep 0.5; kill -HUP $pid; wait \$c"
	load "nginx-$k-after" "$port" "$k.crt" 20
	stop_background
}

httpd_with() { # KEY MPM
	local k=$1 mpm=$2 port pid
	port=$(freeport)
	cat >"ap-$k-$mpm.conf" <<-C
		ServerRoot $WORK
		ServerName localhost
		Listen 127.0.0.1:$port
		PidFile $WORK/ap-$k-$mpm.pid
		ErrorLog $WORK/ap-$k-$mpm.err
		DefaultRuntimeDir $WORK
		LoadModule mpm_${mpm}_module /usr/lib/apache2/modules/mod_mpm_${mpm}.so
		LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
		LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
		LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
		LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
		User www-data
		StartServers 4
		SSLCryptoDevice pkcs11
		SSLSessionCache none
		<VirtualHost *:$port>
		SSLEngine on
		SSLCertificateFile $WORK/$k.crt
		SSLCertificateKeyFile "$key"
		Redirect 204 /
		</VirtualHost>
	C
	background apache2 -d "$WORK" -f "$WORK/ap-$k-$mpm.conf" -DFOREGROUND
	pid=${background[-1]}
	waitport "$port"
	load "httpd-$mpm-$k" "$port" "$k.crt" 40
	kill -USR1 "$pid"
	sleep 1.5
	load "httpd-$mpm-$k-after-reload" "$port" "$k.crt" 20
	stop_background
}

stunnel_with() { # KEY
	local k=$1 port back
	port=$(freeport) back=$(freeport)
	cat >"st-$k.conf" <<-C
		foreground = yes
		pid =
		engine = pkcs11
		debug = 4
		[s]
		accept = 127.0.0.1:$port
		connect = 127.0.0.1:$back
		cert = $WORK/$k.crt
		engineId = pkcs11
		key = $key
	C
	background python3 -c "
import http.server as h
h.ThreadingHTTPServer.request_queue_size = 256
h.ThreadingHTTPServer(('127.0.0.1', $back), h.SimpleHTTPRequestHandler).serve_forever()"
	background stunnel4 "$WORK/st-$k.conf"
	waitport "$port" && waitport "$back"
	load "stunnel-$k" "$port" "$k.crt" 30
	stop_background
}

client() {
	local k
	engine_config
	p11 --keypairgen --key-type rsa:2048 --id f001 --label t-rsa >/dev/null 2>&1
	p11 --keypairgen --key-type EC:prime256v1 --id f002 --label t-ec >/dev/null 2>&1
	for k in rsa ec; do
		key="pkcs11:token=$TOKEN;object=t-$k;type=private;pin-value=$PIN"
		step "$k-certificate" openssl req -x509 -new -engine pkcs11 -keyform engine \
			-key "$key" -subj /CN=localhost -addext subjectAltName=DNS:localhost \
			-days 30 -out "$k.crt"
		nginx_with $k
		httpd_with $k prefork
		httpd_with $k event
		stunnel_with $k
	done
}
compare_sides
