# Sourced by .ci/run and .ci/full: runs named checks one after the other, each of them whatever became of the others.
#
# A check is a function check_<name>. Its exit code says whether it passed. The check "tests" ends with the line
# "N passed, N failed"; run_checks prints that line again as the last of all.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

export CI=${CI:-true} DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
export DOTNET_CLI_USE_MSBUILD_SERVER=0 MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false

logs=$(mktemp -d "${TMPDIR:-/tmp}/eventbus-ci.XXXXXX")
failures=()
results=()
current=

close() {
  local code=$? line name
  trap '' INT TERM HUP
  if [[ -n $current ]]; then
    kill -TERM -- "-$current" 2>/dev/null
    wait "$current" 2>/dev/null
  fi
  for name in ${failures[@]+"${failures[@]}"}; do
    printf '\n==== the end of %s\n' "$name"
    tail -n 40 "$logs/$name" | cut -c 1-1000
  done
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$logs/tests" 2>/dev/null | tail -n 1)
  rm -rf "$logs"
  ((${#results[@]} == 0)) || printf '%s\n' "${results[@]}"
  ((${#failures[@]} == 0)) || printf '!! failed: %s\n' "${failures[*]}"
  ((${#failures[@]} == 0 || code != 0)) || code=1
  printf '%s\n' "${line:-0 passed, 1 failed}"
  exit "$code"
}
trap close EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

run_check() {
  local name=$1 begun=$SECONDS verdict code
  printf '\n==== %s\n' "$name"
  : >"$logs/$name"
  setsid bash -uo pipefail -c "trap : HUP INT TERM; $(declare -f "check_$name"); check_$name" >"$logs/$name" 2>&1 &
  current=$!
  tail --pid="$current" -n +1 -s 0.2 -f "$logs/$name" &
  local shown=$!
  wait "$current"
  code=$?
  current=
  wait "$shown"
  verdict=passed
  ((code == 0)) || { verdict="failed with exit code $code"; failures+=("$name"); }
  printf '==== %s %s after %d s\n' "$name" "$verdict" $((SECONDS - begun))
  results+=("$(printf '==== %-10s %4d s  %s' "$name" $((SECONDS - begun)) "$verdict")")
}

run_checks() {
  local name
  for name in "$@"; do run_check "$name"; done
  printf '\n'
  ((${#failures[@]} == 0))
}
