#!/bin/sh
# Removes Millrace from this Mac: stops and removes its service, then the program. Configuration,
# ledger, keys and logs stay; the last lines say where.
#   ./uninstall.sh [--dry-run] [--bin DIR]
#   sudo ./uninstall.sh --system [...]      where it was installed with --system
set -eu
dry=
bin=
scope=

while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry=yes ;;
    --system) scope=--system ;;
    --bin)
      [ $# -ge 2 ] || { echo "uninstall.sh: --bin needs a folder" >&2; exit 2; }
      bin=$2
      shift
      ;;
    *)
      sed -n '2,5s/^# \{0,1\}//p' "$0"
      exit 2
      ;;
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

if [ -z "$bin" ]; then
  bin=/usr/local/bin
  if [ -z "$scope" ] && [ -x "$HOME/.local/bin/millrace" ]; then bin=$HOME/.local/bin; fi
fi
program=$bin/millrace
plist=$HOME/Library/LaunchAgents/com.millrace.agent.plist
if [ -n "$scope" ]; then plist=/Library/LaunchDaemons/com.millrace.agent.plist; fi

if [ -n "$dry" ]; then
  run "$program" service uninstall $scope
else
  [ -x "$program" ] || { echo "uninstall.sh: there is no $program; say --bin DIR" >&2; exit 2; }
  # A status that fails may mean anything; where its list lies, launchd knows the service.
  if [ -e "$plist" ] || [ -L "$plist" ] || "$program" service status $scope >/dev/null 2>&1; then
    "$program" service uninstall $scope || {
      echo "uninstall.sh: the service is still there, and so is $program" >&2
      exit 2
    }
  fi
fi
run rm -f "$program"
echo "# left: $HOME/Library/Application Support/Millrace, $HOME/Library/Logs/Millrace.log"
echo "# left: keys in the login keychain, under the name Millrace"
