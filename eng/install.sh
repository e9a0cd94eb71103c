# Sourced by scripts that need a package of the system. Expects $work, a temporary folder of the caller, and a call of
# stop_install when the caller ends.

as_root() { if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi; }

# install_packages package...: installs packages without prompts, and prevents their services from starting.
install_packages() {
  local by_hand="Install them by hand (on Debian and Ubuntu: apt-get install $*) and start again." code
  if ! command -v apt-get >/dev/null; then
    printf '== Missing: %s, and there is no apt-get here. %s\n' "$*" "$by_hand"
    return 1
  fi
  if ((EUID != 0)) && ! sudo -n true 2>/dev/null; then
    printf '== Missing: %s, and installing needs root or sudo without a password. %s\n' "$*" "$by_hand"
    return 1
  fi

  printf '== installing %s\n' "$*"
  # One installation at a time on the machine; the lock ends with the process that holds it.
  exec {install_lock}<"$(command -v apt-get)"
  flock -w 600 "$install_lock"
  hold_services
  setsid bash -c "$(declare -f as_root)"'
    apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq "$@"; }
    # The lists have a lock of their own, on which apt-get does not wait.
    for i in {1..30}; do apt update && break; sleep 2; done
    apt install -y --no-install-recommends "$@"' install "$@" >"$work/install.log" 2>&1 </dev/null {install_lock}<&- &
  installer=$!
  wait "$installer"
  code=$?
  stop_install
  if ((code != 0)); then
    tail -n 20 "$work/install.log"
    printf '== Could not install %s. %s\n' "$*" "$by_hand"
    return 1
  fi
}

# Debian runs policy-rc.d before a package may start its service. An existing one that forbids it is kept; one that
# allows it is moved away meanwhile.
policy=/usr/sbin/policy-rc.d
hold_services() {
  if [[ -e $policy ]]; then
    "$policy" redis-server start >/dev/null 2>&1
    (($? != 101)) || return 0
    as_root mv "$policy" "$policy.$$"
  fi
  policy_held=true
  printf '#!/bin/sh\nexit 101\n' >"$work/policy-rc.d"
  as_root install -m 755 "$work/policy-rc.d" "$policy"
}

# An installation is never interrupted: that would leave the package database of the machine broken.
stop_install() {
  [[ -z ${installer:-} ]] || wait "$installer"
  installer=
  if [[ ${policy_held:-false} == true ]]; then
    as_root rm -f "$policy"
    [[ ! -e $policy.$$ ]] || as_root mv "$policy.$$" "$policy"
    policy_held=false
  fi
  if [[ -n ${install_lock:-} ]]; then
    exec {install_lock}<&-
    install_lock=
  fi
}
