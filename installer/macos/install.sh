#!/bin/sh
# Installs Millrace on this Mac, for this user: the program in ~/.local/bin, or /usr/local/bin where
# that may be written to, and a launchd agent that runs it while this user is logged in.
#   ./install.sh                 installs, or replaces an older one
#   ./install.sh --dry-run       prints each step and changes nothing
#   ./install.sh --bin DIR       puts the program into DIR
#   ./install.sh --no-service    the program only
#   sudo ./install.sh --system   a daemon instead, which runs with nobody logged in
# Configuration, ledger and logs stay as they are.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dry=
bin=
service=yes
scope=

usage() {
  sed -n '2,9s/^# \{0,1\}//p' "$0"
  exit "$1"
}

while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry=yes ;;
    --no-service) service= ;;
    --system) scope=--system ;;
    --bin)
      [ $# -ge 2 ] || usage 2
      bin=$2
      shift
      ;;
    -h | --help) usage 0 ;;
    *) usage 2 >&2 ;;
  esac
  shift
done

# run WORD...: does it, or prints it in a form that a shell reads.
run() {
  if [ -z "$dry" ]; then
    "$@"
    return
  fi
  for word in "$@"; do
    case "$word" in
      *[!A-Za-z0-9_./:=@%+-]*) printf "'%s' " "$(printf %s "$word" | sed "s/'/'\\\\''/g")" ;;
      *) printf '%s ' "$word" ;;
    esac
  done
  echo
}

refuse() {
  echo "install.sh: $1" >&2
  exit 2
}

if [ -z "$dry" ]; then
  [ "$(uname -s) $(uname -m)" = "Darwin arm64" ] ||
    refuse "this program is for macOS on Apple silicon (arm64); this is $(uname -s) $(uname -m)"
  [ -z "$scope" ] || [ "$(id -u)" -eq 0 ] || refuse "a daemon needs an administrator: use sudo"
  [ -n "$scope" ] || [ -z "$service" ] || [ "$(id -u)" -ne 0 ] ||
    refuse "an agent belongs to one user: run this without sudo, or with --system"
fi
if [ -z "$bin" ]; then
  bin=$HOME/.local/bin
  if [ -n "$scope" ] || [ -w /usr/local/bin ]; then bin=/usr/local/bin; fi
fi
case "$bin" in
  /*) ;;
  *) bin=$(pwd)/$bin ;;
esac
program=$bin/millrace
plist=$HOME/Library/LaunchAgents/com.millrace.agent.plist
if [ -n "$scope" ]; then plist=/Library/LaunchDaemons/com.millrace.agent.plist; fi
config="$HOME/Library/Application Support/Millrace/config.toml"

# Written aside and renamed: macOS ends a program whose own file is written to. What a browser has
# loaded is marked, and macOS refuses to start it until the mark is gone.
run mkdir -p "$bin"
run cp "$here/millrace" "$bin/.millrace.new"
run chmod 755 "$bin/.millrace.new"
run xattr -c "$bin/.millrace.new"
run mv -f "$bin/.millrace.new" "$program"

if [ -n "$service" ]; then
  # One that is there may name a program elsewhere. A status that fails may mean anything; where its
  # list lies, launchd knows the service.
  if [ -n "$dry" ]; then
    echo "# if a service is installed already:"
    run "$program" service uninstall $scope
  elif [ -e "$plist" ] || [ -L "$plist" ] || "$program" service status $scope >/dev/null 2>&1; then
    "$program" service uninstall $scope ||
      refuse "the new program is in place; the service is still the one from before"
  fi
  if [ -n "$dry" ]; then
    echo "# if $config is there:"
    run "$program" service install $scope
  elif [ -f "$config" ]; then
    "$program" service install $scope
  else
    echo "There is no configuration yet. Next:"
    echo "  $program init --url https://HOST/PATH    (of your conversion API)"
    echo "  $program check"
    echo "  ${scope:+sudo }$program service install $scope"
  fi
fi
case ":$PATH:" in
  *":$bin:"*) ;;
  *) echo "# $bin is not in PATH: add it in ~/.zprofile, or call $program" ;;
esac
