# lib.bash - a simulator for a bats file. Everything lives below $T, a fresh directory.
# get PATH asks the API and leaves $status, $T/body and $T/headers; control calls the control address.

SIM=$(realpath "${BUILD:-build}")/propexofs-sim
H='Authorization: Bearer sim-key'

begin() {
  T=$(mktemp -d "${TMPDIR:-/tmp}/pxsim.XXXXXX")
  export T
}

finish() {
  [ -n "${T:-}" ] || return 0
  local p bad
  for p in "$T"/*.pid; do
    [ -e "$p" ] && kill "$(cat "$p")" 2>/dev/null
  done
  wait 2>/dev/null
  # what a sanitizer says
  bad=$(grep -hE 'Sanitizer|runtime error' "$T"/*.log)
  rm -rf "$T"
  [ -z "$bad" ] || fail "$bad"
}

fail() {
  echo "$@"
  return 1
}

# until_true SECONDS COMMAND...
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || fail "timed out: $*" || return 1
    sleep 0.02
  done
}

# start NAME [OPTIONS...]: $URL is its address.
start() {
  local name=$1
  shift
  rm -f "$T/$name.port"
  "$SIM" --port-file "$T/$name.port" "$@" >"$T/$name.log" 2>&1 3>&- &
  echo $! >"$T/$name.pid"
  until_true 20 test -s "$T/$name.port" || { cat "$T/$name.log"; return 1; }
  URL=http://127.0.0.1:$(cat "$T/$name.port")
  export URL
}

stop() {
  kill "$(cat "$T/$1.pid")"
  local pid
  pid=$(cat "$T/$1.pid")
  rm "$T/$1.pid"
  wait "$pid"
}

get() {
  status=$(curl -gsS -o "$T/body" -D "$T/headers" -w '%{http_code}' -H "$H" "$URL$1" "${@:2}") || return 1
}

# get, which must answer 200; the body comes out.
page() {
  get "$@" || return 1
  [ "$status" = 200 ] || fail "$1: $status $(head -c 300 "$T/body")" || return 1
  cat "$T/body"
}

header() { tr -d '\r' <"$T/headers" | sed -n "s/^$1: //Ip"; }

# is EXPECTED ACTUAL
is() { [ "$1" = "$2" ] || fail "expected: $1" $'\n'"     got: $2"; }

# error_is STATUS CODE: of the last answer, in the documented form.
error_is() {
  is "$1" "$status" || return 1
  is application/json "$(header content-type)" || return 1
  jq -e --arg c "$2" '(.error.code == $c) and (.error.message | type == "string") and (.error.details | type == "object")' \
    "$T/body" >/dev/null || fail "$(head -c 300 "$T/body")"
}

# control GET|POST PATH [JSON]
control() {
  if [ "$1" = GET ]; then
    curl -gfsS "$URL/_control/$2"
  else
    curl -gfsS -X POST -d "${3:-{\}}" "$URL/_control/$2"
  fi
}

# refused PATH [JSON]: the control address answers 400 with a reason.
refused() {
  is 400 "$(curl -gsS -o "$T/body" -w '%{http_code}' -X POST -d "${2:-{\}}" "$URL/_control/$1")" &&
    jq -e '.error | type == "string"' "$T/body" >/dev/null
}

stat_of() { control GET stats | jq -r "$1"; }

# The paths to list a model by, one a line; those below a parent need the truth in $T/truth.
list_paths() {
  local path
  case $1 in
    unit-details) path=/v1/units/details ;;
    unit-pricing) path=/v1/listings/pricing ;;
    construction-job-details) parents construction-jobs | sed 's|.*|/v1/construction-jobs/&/details|' && return ;;
    contracts) parents construction-jobs | sed 's|.*|/v1/construction-jobs/&/contracts|' && return ;;
    contract-details) parents contracts | sed 's|.*|/v1/construction-jobs/contracts/&/details|' && return ;;
    purchase-order-items) parents purchase-orders | sed 's|.*|/v1/purchase-orders/&/items|' && return ;;
    *) path=/v1/$1/ ;;
  esac
  echo "$path"
}

parents() { jq -r --arg m "$1" 'select(.model == $m) | .id | @uri' "$T/truth"; }

# walk PATH QUERY: all records, page by page, a line each.
walk() {
  local offset=0 n limit=${LIMIT:-250}
  while :; do
    get "$1?limit=$limit&offset=$offset&$2" && is 200 "$status" || return 1
    jq -c '.results[]' "$T/body" >"$T/walk"
    cat "$T/walk"
    n=$(wc -l <"$T/walk")
    offset=$((offset + n))
    [ "$n" = "$limit" ] || return 0
  done
}

# What the API serves of everything, as lines of model and record, sorted: to compare with the truth. No collection may
# have more than a page.
pages_all() {
  local model
  control GET truth >"$T/truth"
  for model in $(control GET integrations | jq -r '.[0].models | keys[]'); do
    list_paths "$model" | sed "s|.*|$model &|"
  done >"$T/paths"
  sed "s|^[^ ]* \(.*\)|url = \"$URL\1?limit=250\&order-by=created_at:asc,id:asc\"|" "$T/paths" >"$T/urls"
  curl -gfsS -H "$H" -K "$T/urls" >"$T/pages" || return 1
  jq -cn --rawfile p "$T/paths" '($p / "\n" | map(split(" ")[0])) as $m | foreach inputs as $i (-1; . + 1;
    if $i.meta.hasMore then error("more than a page") else [$m[.], $i.results[]] | .[0] as $name | .[1:][] | [$name, .] end)' "$T/pages" | sort
}

truth_lines() { jq -c '[.model, .record]' "$T/truth" | sort; }
