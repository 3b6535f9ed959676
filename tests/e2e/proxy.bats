#!/usr/bin/env bats
# proxy.bats - the recipes of docs/webhooks.md as they stand there, but for names, certificates and addresses.

load lib

setup() {
  begin
  start_sim --integrations 1 --records residents=20 --rate-limit 0
  printf 'whsec-one-two-three\n' >"$T/secret"
  chmod 600 "$T/secret"
  start_daemon --webhook-listen "unix:$T/hook" --webhook-secret-file "$T/secret" --webhook-url https://hooks.example.com/propexo
  HOOK=https://hooks.example.com/propexo
  export HOOK
}

teardown() {
  [ ! -s "$T/proxy.pid" ] || kill "$(cat "$T/proxy.pid")" 2>/dev/null || true
  finish
}

# recipe LANGUAGE: the block of the document.
recipe() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" docs/webhooks.md | sed '1d;$d'; }

# The document's line for a socket file, of this proxy, with ours in it.
socket_line() { sed -n "s|^        \($1.*\)/run/propexofs/acme/webhook|\1$T/hook|p" docs/webhooks.md; }

# with_socket WORD: the recipe on standard input, its line with WORD replaced by the one for a socket file.
with_socket() {
  local line
  line=$(socket_line "$1")
  [ -n "$line" ] && sed "s|^ *$1 .*|$line|"
}

delivered() {
  [ "$(deliver '{"event":"SOMETHING_NEW"}' "$@")" = 200 ] || return 1
  until_true 10 grep -q SOMETHING_NEW "$M/events/latest.jsonl"
  # large ones too, and what is wrong is refused by us, not by the proxy
  { printf '{"event":"LARGE_NEWS","pad":"'; head -c 7000000 /dev/zero | tr '\0' x; printf '"}'; } >"$T/large"
  sig=$(openssl dgst -sha256 -hmac whsec-one-two-three "$T/large" | sed 's/.*= //')
  [ "$(curl -s -m 30 -o /dev/null -w '%{http_code}' -H "propexo-signature: $sig" --data-binary "@$T/large" "$@" "$HOOK")" = 200 ] || return 1
  [ "$(curl -s -m 30 -o /dev/null -w '%{http_code}' -d '{"event":"X"}' "$@" "$HOOK")" = 401 ] || return 1
  [ "$(curl -s -m 30 -o /dev/null -w '%{http_code}' -d '{"event":"X"}' "$@" "${HOOK}2")" = 404 ]
}

@test "nginx" {
  command -v nginx >/dev/null || skip "nginx is not installed"
  chmod 711 "$T" # its workers are another user's
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=hooks.example.com -keyout "$T/privkey.pem" -out "$T/fullchain.pem" 2>/dev/null
  {
    echo "pid $T/nginx.pid; error_log stderr; daemon off; events {} http { access_log off;"
    for d in client_body proxy fastcgi uwsgi scgi; do echo "${d}_temp_path $T/$d;"; done
    recipe nginx | sed "s|listen 443|listen unix:$T/front|; s|/etc/letsencrypt/live/hooks.example.com|$T|" | with_socket proxy_pass
    echo "}"
  } >"$T/nginx.conf"
  nginx -p "$T" -e stderr -c "$T/nginx.conf" 2>"$T/proxy.log" 3>&- &
  echo $! >"$T/proxy.pid"
  until_true 10 test -S "$T/front" || { cat "$T/proxy.log"; false; }
  delivered -k --unix-socket "$T/front" || fail "$(cat "$T/proxy.log")"
}

@test "Caddy" {
  command -v caddy >/dev/null || skip "caddy is not installed"
  {
    printf '{\n  admin off\n  auto_https off\n}\n'
    recipe caddy | sed "s|^hooks.example.com {|http://hooks.example.com {\n  bind unix/$T/front|" | with_socket reverse_proxy
  } >"$T/Caddyfile"
  HOOK=http://hooks.example.com/propexo
  caddy run --config "$T/Caddyfile" --adapter caddyfile 2>"$T/proxy.log" 3>&- &
  echo $! >"$T/proxy.pid"
  until_true 20 test -S "$T/front" || { cat "$T/proxy.log"; false; }
  delivered --unix-socket "$T/front" || fail "$(cat "$T/proxy.log" "$T/Caddyfile")"
}

@test "the recipes are there, and their ports are the example's" {
  [ "$(recipe nginx | grep -c 'proxy_pass http://127.0.0.1:8480;')" = 1 ]
  [ "$(recipe caddy | grep -c 'reverse_proxy 127.0.0.1:8480')" = 1 ]
  [ -n "$(socket_line proxy_pass)" ] && [ -n "$(socket_line reverse_proxy)" ]
  [ "$(grep -c 'webhook-listen = 127.0.0.1:8480' docs/webhooks.md docs/example.conf | grep -c ':1$')" = 2 ]
}
