#!/usr/bin/env bats
# metrics.bats - what Prometheus gets over HTTP, and the alert rules that the documentation offers.

load lib

setup_file() {
  begin
  start_sim --integrations 2 --total 400 --rate-limit 0
  start_daemon --metrics-listen 127.0.0.1:0
  ready
  until_true 10 grep -q 'metrics.*listening at=' "$T/log"
  METRICS=http://$(sed -n 's/.*metrics.*listening at=//p' "$T/log" | tail -n 1)
  export METRICS
}

teardown_file() { finish; }

# status METHOD PATH [CURL OPTIONS...]
status() { curl -s -m 10 -o "$T/body" -D "$T/headers" -w '%{http_code}' -X "$1" "${@:3}" "$METRICS$2"; }

names() { grep -oE 'propexofs_[a-z_]+' | sort -u; }

@test "/metrics is what metrics.prom says, in Prometheus' text format" {
  [ "$(status GET /metrics)" = 200 ]
  grep -qi '^content-type: text/plain; version=0.0.4' "$T/headers"
  cp "$M/metrics.prom" "$T/file"
  [ -s "$T/file" ]
  diff <(names <"$T/file") <(names <"$T/body")
  [ "$(grep '^propexofs_store_records ' "$T/body")" = "$(grep '^propexofs_store_records ' "$T/file")" ]
  [ "$(status GET '/metrics?format=text')" = 200 ]
  [ "$(curl -s -m 10 -I -o /dev/null -w '%{http_code}' "$METRICS/metrics")" = 200 ]
}

@test "other paths are 404, other methods 405" {
  for path in / /metrics/ /metricsx /webhook /healthz '/%2e%2e/metrics'; do [ "$(status GET "$path")" = 404 ] || fail "$path"; done
  for method in POST PUT DELETE PATCH; do
    [ "$(status $method /metrics -d x=1)" = 405 ] || fail $method
    grep -qi '^allow: GET, HEAD' "$T/headers"
  done
  # a body is no reason to wait, or to fall over
  head -c 3000000 /dev/zero >"$T/zeros"
  status POST /metrics --data-binary "@$T/zeros" || true
  [ "$(status GET /metrics)" = 200 ]
}

@test "each scrape is fresh, also when the API is away, and costs no request" {
  before=$(stat_of .requests)
  for _ in 1 2 3 4 5; do [ "$(status GET /metrics)" = 200 ]; done
  [ "$(stat_of .requests)" = "$before" ]
  n=$(sed -n 's/^propexofs_fuse_requests_total{operation="statfs"} //p' "$T/body")
  stat -f "$M" >/dev/null
  status GET /metrics
  [ "$(sed -n 's/^propexofs_fuse_requests_total{operation="statfs"} //p' "$T/body")" -gt "$n" ]
}

@test "connections that say nothing, and many at once, do not keep a scrape from its answer" {
  host=${METRICS#http://}
  for _ in 1 2 3; do exec {fd}<>"/dev/tcp/${host%:*}/${host#*:}"; done
  [ "$(status GET /metrics)" = 200 ]
  for _ in $(seq 8); do status GET /metrics >/dev/null & done
  wait
  [ "$(status GET /metrics)" = 200 ]
}

@test "an address that is taken, or makes no sense, is refused in one line" {
  mkdir -p "$T/mnt2"
  for address in "${METRICS#http://}" 9100 unix:/run/x; do
    run timeout 20 "$BIN/propexofs" mount --api-url "$URL" --api-key-file "$T/key" --store "$T/two.db" --metrics-listen "$address" "$T/mnt2"
    [ "$status" != 0 ] && [ "${#lines[@]}" = 1 ] && [[ $output == *metrics* ]] || fail "$address: $output"
  done
  ! mountpoint -q "$T/mnt2" || fail mounted
}

@test "docs/alerts.yml asks for metrics that there are" {
  status GET /metrics
  # and those that are there only while something waits
  { names <"$T/body"; echo propexofs_store_oldest_pending_timestamp_seconds; } | sort -u >"$T/have"
  grep -qrF propexofs_store_oldest_pending_timestamp_seconds src/status/metrics.c
  grep -v '^ *#\|summary\|description\|alert:\|name: propexofs' docs/alerts.yml | names >"$T/asked"
  [ "$(wc -l <"$T/asked")" -ge 6 ]
  [ -z "$(comm -13 "$T/have" "$T/asked")" ] || fail "$(comm -13 "$T/have" "$T/asked")"
}

@test "promtool: the text and the rules are in order" {
  command -v promtool >/dev/null || skip "promtool is not installed (Debian's package prometheus)"
  status GET /metrics
  promtool check metrics <"$T/body"
  promtool check rules docs/alerts.yml
}

@test "promtool: each rule fires when it should, and not before" {
  command -v promtool >/dev/null || skip "promtool is not installed (Debian's package prometheus)"
  cat >"$T/rules.yml" <<END
rule_files: [$(realpath docs/alerts.yml)]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'propexofs_integration_info{job="p",instance="i",integration="a",name="Acme",vendor="v",system="s"}', values: '1x600'}
      - {series: 'propexofs_integration_info{job="p",instance="i",integration="b",name="Off",vendor="v",system="s"}', values: '1x600'}
      - {series: 'propexofs_integration_phase{job="p",instance="i",integration="a",phase="stale"}', values: '0x10 1x590'}
      - {series: 'propexofs_integration_phase{job="p",instance="i",integration="b",phase="stale"}', values: '0x600'}
      - {series: 'propexofs_integration_phase{job="p",instance="i",integration="b",phase="disabled"}', values: '1x600'}
      - {series: 'propexofs_integration_complete{job="p",instance="i",integration="a"}', values: '0x600'}
      - {series: 'propexofs_integration_complete{job="p",instance="i",integration="b"}', values: '0x600'}
      - {series: 'propexofs_webhook_rejected_total{job="p",instance="i"}', values: '5x20 6x580'}
      - {series: 'propexofs_store_oldest_pending_timestamp_seconds{job="p",instance="i"}', values: '600x600'}
      - {series: 'propexofs_api_authorized{job="p",instance="i"}', values: '1x10 0x590'}
      - {series: 'propexofs_store_failed{job="p",instance="i"}', values: '0x10 1x590'}
    alert_rule_test:
      - {eval_time: 20m, alertname: PropexofsStale, exp_alerts: []}
      - eval_time: 30m
        alertname: PropexofsStale
        exp_alerts:
          - exp_labels: {severity: warning, job: p, instance: i, integration: a, name: Acme, phase: stale}
            exp_annotations:
              summary: Acme (a) is stale
              description: What is stored can be read, but is not known to be what Propexo has. \`propexofs status\` says why.
      - {eval_time: 5h, alertname: PropexofsIncomplete, exp_alerts: []}
      - eval_time: 7h
        alertname: PropexofsIncomplete
        exp_alerts:
          - exp_labels: {severity: warning, job: p, instance: i, integration: a, name: Acme}
            exp_annotations:
              summary: Acme (a) has not been read whole
              description: Listings of its unfinished models end with an error, and backups that ask \`propexofs ready\` wait.
      - {eval_time: 15m, alertname: PropexofsDeliveriesRejected, exp_alerts: []}
      - eval_time: 25m
        alertname: PropexofsDeliveriesRejected
        exp_alerts:
          - exp_labels: {severity: warning, job: p, instance: i}
            exp_annotations:
              summary: Deliveries to i are refused
              description: The signature is wrong, or it was none of Propexo's. \`propexofs webhooks register\` sets the secret again.
      - {eval_time: 24m, alertname: PropexofsPendingTooOld, exp_alerts: []}
      - eval_time: 40m
        alertname: PropexofsPendingTooOld
        exp_alerts:
          - exp_labels: {severity: warning, job: p, instance: i}
            exp_annotations:
              summary: i has owed a record for 30m 0s
              description: Records that deliveries named have not been read again. The API may be away, or its allowance used up.
      - {eval_time: 10m, alertname: PropexofsUnauthorized, exp_alerts: []}
      - eval_time: 30m
        alertname: PropexofsUnauthorized
        exp_alerts:
          - exp_labels: {severity: critical, job: p, instance: i}
            exp_annotations:
              summary: The API refuses the key of i
              description: "\`propexofs init\` takes a new key; the mirror shows what it has."
      - {eval_time: 10m, alertname: PropexofsStoreFailed, exp_alerts: []}
      - eval_time: 30m
        alertname: PropexofsStoreFailed
        exp_alerts:
          - exp_labels: {severity: critical, job: p, instance: i}
            exp_annotations:
              summary: i cannot write its store
              description: The disk is full or broken. Deliveries are answered with 503, and Propexo drops them after 2.5 hours.
END
  promtool test rules "$T/rules.yml"
}

@test "without --metrics-listen nobody listens" {
  umount_daemon
  : >"$T/log"
  start_daemon
  [ "$(grep -c 'metrics.*listening' "$T/log")" = 0 ]
  run curl -s -m 10 "$METRICS/metrics"
  [ "$status" = 7 ] # nobody there
}
