# Shared by the service scripts: where downloads live, how to wait, how to end what we started (and nothing else).
# Sourced, not run. The sourcing script has `set -euo pipefail` and sets `service` for the messages.
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0

# Outside the clone, so that a fresh clone starts fast. For root not below /root, which the servers' user cannot enter.
default_cache() { if [ "$(id -u)" = 0 ]; then echo /var/cache/tailrace; else echo "$HOME/.cache/tailrace"; fi; }
cache=${TAILRACE_CACHE:-$(default_cache)}

die() { echo "$service: $*" >&2; exit 1; }
usage() { sed -n '2,/^set /{/^# \{0,1\}/s/^# \{0,1\}//p}' "$0" >&2; exit 64; }
need() { command -v "$1" >/dev/null 2>&1 || die "needs $1: run tests/install/install"; }

# A process is ours when the pid file names it and it started when we noted it: pids are used again.
start_time() { awk '{ sub(/.*\) /, ""); print $20 }' "/proc/$1/stat" 2>/dev/null || true; }
note_pid() { echo "$2 $(start_time "$2")" >"$1"; }
alive() {
  local pid started
  [ -f "$1" ] && read -r pid started <"$1" && [ -n "${started:-}" ] && [ "$(start_time "$pid")" = "$started" ]
}
pid_of() { cut -d' ' -f1 "$1"; }

# wait_until SECONDS COMMAND...: polls five times a second.
wait_until() {
  local tries=$(($1 * 5)); shift
  while ! "$@" >/dev/null 2>&1; do
    tries=$((tries - 1)); [ "$tries" -gt 0 ] || return 1
    sleep 0.2
  done
}
gone() { ! alive "$1"; }

# launch DIR COMMAND...: in the background, in a session of its own, so that a Ctrl-C of the caller does not reach it.
launch() {
  local dir=$1; shift
  setsid "$@" >"$dir/log" 2>&1 </dev/null &
  note_pid "$dir/pid" $!
}

# end_pid PIDFILE SIGNAL SECONDS: asks, waits, then insists.
end_pid() {
  alive "$1" || { rm -f "$1"; return 0; }
  kill -s "$2" "$(pid_of "$1")" 2>/dev/null || true
  if ! wait_until "$3" gone "$1"; then kill -s KILL "$(pid_of "$1")" 2>/dev/null || true; wait_until 5 gone "$1" || true; fi
  rm -f "$1"
}

# answers_or_dies PIDFILE SECONDS COMMAND...: as wait_until, but gives up as soon as the process has ended.
answers_or_dies() {
  local pidfile=$1 tries=$(($2 * 5)); shift 2
  while ! "$@" >/dev/null 2>&1; do
    tries=$((tries - 1)); [ "$tries" -gt 0 ] && alive "$pidfile" || return 1
    sleep 0.2
  done
}

# once NAME COMMAND...: runs COMMAND (which fills $cache/NAME) unless it has been done; only one process at a time.
# COMMAND's exit status decides, and `set -e` does not count inside of it: its steps are joined by &&.
once() {
  local name=$1; shift
  mkdir -p "$cache"
  (
    flock 9
    if [ ! -e "$cache/$name/.done" ]; then
      rm -rf "${cache:?}/$name"; mkdir -p "$cache/$name"
      echo "$service: fetching $name into $cache (once)" >&2
      "$@" "$cache/$name" || exit 1
      touch "$cache/$name/.done"
    fi
  ) 9>"$cache/.$name.lock" || die "cannot fetch $name"
}

# maven GOAL...: one process at a time, since several at once can spoil an empty local repository; a bad line gets three tries.
maven() {
  need mvn; mkdir -p "$cache"
  local try
  for try in 1 2 3; do
    if flock "$cache/.maven.lock" mvn -q -B -Dstyle.color=never "$@" >&2; then return 0; fi
    sleep $((try * 3))
  done
  return 1
}

# Small JVMs that start fast: tests share two cores with databases and sanitizers.
java_small=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto)
