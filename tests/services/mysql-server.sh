# What the scripts of MySQL and MariaDB share: an owner, one data directory, start, stop, kill. Sourced after common.sh.
# The sourcing script gives: packages VERSION (suite and packages), native VERSION (whether this machine has that version
# installed), create (fills $dir/data), options (the server's, one a line), and `default`.
# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0

fetch() {
  local version=$1 suite rest
  read -r suite rest < <(packages "$version")
  # shellcheck disable=SC2086
  "$here/sysroot" "$2" "$suite" $rest
}
# The folder whose usr/ holds the version's programs: nothing for this machine's own, or one in the cache.
root_of() {
  local name
  packages "$1" >/dev/null
  if native "$1"; then return; fi
  # Named after what makes it, so that a changed recipe is carried out again.
  name=$service-$1-$({ packages "$1"; cat "$here/sysroot"; } | sha256sum | cut -c1-8)
  once "$name" fetch "$1" >&2
  echo "$cache/$name/root"
}
# The server refuses to run as root. Its temporary files go beside its data: TMPDIR may be the caller's alone.
owner=mysql
as_owner() {
  if [ "$(id -u)" = 0 ]; then TMPDIR=$dir/tmp setpriv --reuid="$owner" --regid="$owner" --init-groups -- "$@"
  else TMPDIR=$dir/tmp "$@"; fi
}
ensure_owner() {
  [ "$(id -u)" = 0 ] || return 0
  getent group "$owner" >/dev/null || groupadd --system "$owner"
  id "$owner" >/dev/null 2>&1 || useradd --system --no-create-home --gid "$owner" --shell /usr/sbin/nologin "$owner"
}
# The owner must reach the folder: its parents need the x bit, which a cache below /root would not have.
reachable() { as_owner test -x "$1" || die "user $owner cannot reach $1: choose a folder below /tmp, or TAILRACE_CACHE elsewhere"; }
own_folder() {
  mkdir -p "$1"
  if [ "$(id -u)" = 0 ]; then chown "$owner:" "$dir" "$1"; fi
  chmod 750 "$1"; reachable "$1"
}

# Whether a client would be greeted: the server speaks first, and its socket exists only when it is ready.
answers() { [ -S "$dir/socket" ] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
settings_of() {
  local s; for s in "$@"; do echo "--$s"; done
}
start() {
  ensure_owner
  root=$(root_of "$version")
  reachable "$root/usr/sbin"
  if alive "$dir/pid"; then
    [ "$(cat "$dir/port")" = "$port" ] || die "a server of $dir already runs on port $(cat "$dir/port")"
    return 0
  fi
  if [ ! -f "$dir/version" ]; then
    rm -rf "$dir/data"; own_folder "$dir/data"; own_folder "$dir/tmp"
    create >"$dir/create.log" 2>&1 || { tail -20 "$dir/create.log" >&2; rm -rf "$dir/data"; die "cannot make a data directory"; }
    echo "$version" >"$dir/version"
  fi
  [ "$(cat "$dir/version")" = "$version" ] || die "$dir holds data of version $(cat "$dir/version")"
  rm -f "$dir/socket"      # we know that no server of ours runs; a kill leaves it behind
  local command
  mapfile -t command < <(server_command; options; settings_of "$@")
  if [ "$(id -u)" = 0 ]; then command=(setpriv --reuid="$owner" --regid="$owner" --init-groups -- "${command[@]}"); fi
  TMPDIR=$dir/tmp launch "$dir" "${command[@]}"
  echo "$port" >"$dir/port"; echo "$root" >"$dir/root"
  answers_or_dies "$dir/pid" 90 answers || { tail -5 "$dir/log" >&2; die "did not start: see $dir/log"; }
}

main() {
  local cmd=${1:-}
  case $cmd in
  start)
    [ $# -ge 3 ] || usage
    mkdir -p "$2"; dir=$(cd "$2" && pwd) port=$3; shift 3
    version=$default; case ${1:-} in [0-9]*) version=$1; shift ;; esac
    start "$@" ;;
  stop) [ $# -eq 2 ] || usage; dir=$2; end_pid "$dir/pid" TERM 60 ;;
  kill) [ $# -eq 2 ] || usage; dir=$2; end_pid "$dir/pid" KILL 10 ;;
  bin) echo "$(root_of "${2:-$default}")/usr/bin" ;;
  *) usage ;;
  esac
}
