#!/usr/bin/env bash
# npm run test:rig [-- --short] [-- --cuts N] [-- --minutes N] [-- TEST…]: the tests on a virtual machine with plugs. See README.md here.
# --short: few rounds of each, for CI; a machine that cannot have the rig is then no failure, only said.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
export RIG_SHORT=0 RIG_CUTS=200 RIG_MINUTES=60 RIG_SOAK=0
only=()
while [ $# -gt 0 ]; do
  case $1 in
    --short) RIG_SHORT=1 ;;
    --cuts) shift; RIG_CUTS=${1:?--cuts needs a number} ;;
    --minutes) shift; RIG_MINUTES=${1:?--minutes needs a number} ;;
    soak) RIG_SOAK=1; only+=("$1") ;;
    *) only+=("$1") ;;
  esac
  shift
done
if ! said=$( { bash test/setup/packages.sh rig && bash "$here/guest/build.sh"; } 2>&1); then
  echo "rig: not run: ${said##*$'\n'}"
  [ "$RIG_SHORT" = 1 ] && exit 0
  exit 1
fi
export RIG_IMAGE=${said##*$'\n'}
npm run --silent build
exec npx vitest run --config test/rig/vitest.config.ts "${only[@]}"
