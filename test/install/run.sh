#!/usr/bin/env bash
# npm run test:install [-- TEST…]: the packages, installed into an empty Debian root, and interrupted while they are. Root only; needs a mirror of
# Debian for the root (kept in ${INSTALL_CACHE:-$TMPDIR/install-cache}) and for what the package depends on.
set -euo pipefail
cd "$(dirname "$0")/../.."
suite=bookworm
cache=${INSTALL_CACHE:-${TMPDIR:-/tmp}/install-cache}
die() { echo "install: not run: $*"; exit 1; }
[ "$(id -u)" = 0 ] || die 'an empty Debian root is made by root'
command -v mmdebstrap >/dev/null || apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null 2>&1 || die 'mmdebstrap is not here: sudo apt-get install mmdebstrap'
mkdir -p "$cache"
if [ ! -e "$cache/$suite.tar" ]; then
  started=$SECONDS
  mmdebstrap --quiet --mode=root --variant=minbase "$suite" "$cache/$suite.part.tar" >"$cache/log" 2>&1 || die "mmdebstrap: $(tail -n 1 "$cache/log")"
  mv "$cache/$suite.part.tar" "$cache/$suite.tar"
  echo "install: the empty root was made in $((SECONDS - started)) s"
fi
export INSTALL_ROOT=$cache/$suite.tar INSTALL_WORK=$cache
exec npx vitest run --config test/install/vitest.config.ts "$@"
