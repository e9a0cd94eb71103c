# Sourced by .ci/run and .ci/full: runs named checks, each of them whatever became of the others.
#
#   run_checks tests 'packages samples / proofs' benchmarks
#
# One argument after the other. Within an argument, the checks on each side of a slash run side by side; their output is
# shown when they end. A check is a function check_<name>. Its exit code says whether it passed. The check "tests" ends
# with the line "N passed, N failed"; the last line of all is that line again.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

export CI=${CI:-true} DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
export DOTNET_CLI_USE_MSBUILD_SERVER=0 MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false

logs=$(mktemp -d "${TMPDIR:-/tmp}/eventbus-ci.XXXXXX")
failures=()
results=()
lanes=() # the process groups that run checks

close() {
  local code=$? line name lane faults
  trap '' INT TERM HUP
  for lane in ${lanes[@]+"${lanes[@]}"}; do kill -TERM -- "-$lane" 2>/dev/null; done
  wait ${lanes[@]+"${lanes[@]}"} 2>/dev/null
  for name in ${failures[@]+"${failures[@]}"}; do
    printf '\n==== the end of %s\n' "$name"
    tail -n 40 "$logs/$name" | cut -c 1-1000
  done
  # Once more in short, because the end of an output is what is kept of it.
  faults=$(for name in ${failures[@]+"${failures[@]}"}; do grep -aE '^ *(!!|FAIL) ' "$logs/$name" | sed "s/^ */$name: /" | head -n 15 | cut -c 1-300; done)
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$logs/tests" 2>/dev/null | tail -n 1)
  rm -rf "$logs"
  ((${#results[@]} == 0)) || printf '%s\n' "${results[@]}"
  ((${#failures[@]} == 0)) || printf '%s\n!! failed: %s\n' "$faults" "${failures[*]}"
  ((${#failures[@]} == 0 || code != 0)) || code=1
  printf '%s\n' "${line:-0 passed, 1 failed}"
  exit "$code"
}
trap close EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Runs checks one after the other. Each leaves its output in $logs/<name>, and then its exit code and seconds in $logs/<name>.result.
run_lane() {
  local name begun code
  trap : HUP INT TERM
  for name in "$@"; do
    begun=$SECONDS
    (set -uo pipefail; "check_$name") >"$logs/$name" 2>&1
    code=$?
    printf '%d %d\n' "$code" $((SECONDS - begun)) >"$logs/$name.result.new"
    mv "$logs/$name.result.new" "$logs/$name.result"
  done
}

start_lane() {
  local name functions
  functions=$(declare -f run_lane)
  for name in "$@"; do
    functions+=$'\n'$(declare -f "check_$name")
    : >"$logs/$name"
  done
  logs="$logs" setsid bash -uo pipefail -c "$functions"$'\nrun_lane "$@"' lane "$@" &
  lanes+=("$!")
}

# Waits for a check and records what became of it.
end_check() {
  local name=$1 code seconds verdict=passed
  read -r code seconds <"$logs/$name.result"
  ((code == 0)) || { verdict="failed with exit code $code"; failures+=("$name"); }
  printf '==== %s %s after %d s\n' "$name" "$verdict" "$seconds"
  results+=("$(printf '==== %-10s %4d s  %s' "$name" "$seconds" "$verdict")")
}

run_one() {
  local name=$1 shown
  printf '\n==== %s\n' "$name"
  start_lane "$name"
  tail --pid="${lanes[0]}" -n +1 -s 0.2 -f "$logs/$name" &
  shown=$!
  wait "${lanes[0]}"
  lanes=()
  wait "$shown"
  end_check "$name"
}

run_side_by_side() {
  local lane name names open=() left
  printf '\n==== side by side: %s\n' "$1"
  while read -r lane; do
    read -ra names <<<"$lane"
    open+=("${names[@]}")
    start_lane "${names[@]}"
  done < <(sed 's| */ *|\n|g' <<<"$1")
  while ((${#open[@]} > 0)); do
    sleep 0.5 &
    wait "$!"
    left=()
    for name in "${open[@]}"; do
      if [[ -f $logs/$name.result ]]; then
        printf '\n==== %s\n' "$name"
        cat "$logs/$name"
        end_check "$name"
      else
        left+=("$name")
      fi
    done
    open=(${left[@]+"${left[@]}"})
  done
  wait "${lanes[@]}"
  lanes=()
}

run_checks() {
  local step
  for step in "$@"; do
    if [[ $step == *[[:space:]]* ]]; then run_side_by_side "$step"; else run_one "$step"; fi
  done
  printf '\n'
  ((${#failures[@]} == 0))
}
