#!/usr/bin/env bash
# npm run test:arm [-- arm64|armv7 …]: the gateway on the processors of a Raspberry Pi, emulated: Debian 13 for that processor with its own
# Node, `npm ci` in it, every native package loaded, a gate from tap to message, and the unit tests of what decides. What it fetches is kept in
# ${ARM_CACHE:-$TMPDIR/arm-cache}. Where something it needs cannot be had, it says so in one line and tests nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
suite=trixie
cache=${ARM_CACHE:-${TMPDIR:-/tmp}/arm-cache}
# What the gateway is installed with on such a Debian: Node and its headers, node-hid's libraries, and what nfc-pcsc is compiled with.
packages=base-files,base-passwd,bash,coreutils,dash,grep,sed,nodejs,libnode-dev,libusb-1.0-0,libudev1,libpcsclite-dev,python3,make,g++
die() { echo "arm: not run: $*"; exit 1; }
[ "$(id -u)" = 0 ] || die 'a Debian root is unpacked by root'
declare -A program_of=([mmdebstrap]=mmdebstrap [qemu-aarch64-static]=qemu-user-static)
for program in "${!program_of[@]}"; do
  command -v "$program" >/dev/null || apt-get install -y -qq --no-install-recommends "${program_of[$program]}" >/dev/null 2>&1 ||
    die "$program is not here: sudo apt-get install ${program_of[$program]}"
done
mkdir -p "$cache"
unshare --user --map-root-user --mount mount -t binfmt_misc none "$cache" 2>/dev/null ||
  die 'the kernel registers no emulator in a namespace: it takes Linux 6.7 or later, and user namespaces allowed'
ENTER_NPM=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
ENTER_NPMRC=$(npm config get userconfig 2>/dev/null)
export ENTER_NPM ENTER_NPMRC

make_root() { # PROCESSOR DEBIAN'S-NAME-FOR-IT
  local root=$cache/$1/root
  [ ! -d "$root" ] || return 0
  mkdir -p "$cache/$1"
  rm -rf "$root.part"
  # Unpacked, not configured: what Node and the compiler need is in its place with that, and no package's script runs for minutes.
  mmdebstrap --quiet --mode=root --variant=extract --architectures="$2" --include="$packages" "$suite" "$root.part" >"$cache/$1/log" 2>&1 <<<"" ||
    die "mmdebstrap for $2: $(tail -n 1 "$cache/$1/log")"
  mkdir -p "$root.part"{/mnt,/usr/lib/node_modules/npm,/etc/ssl/certs,"$PWD"}
  touch "$root.part"{/etc/hosts,/etc/resolv.conf,/root/.npmrc}
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root.part/usr/bin/npm"
  mv "$root.part" "$root"
}

install_house() { # PROCESSOR: a copy of this checkout, with its packages as that processor has them
  local place=$cache/$1 started=$SECONDS
  # The folder that the copy is seen in there: the root may have been made for a checkout elsewhere.
  mkdir -p "$place/house" "$place/root$PWD"
  git ls-files -z | tar c --null --files-from=- | tar x -C "$place/house"
  if ! cmp -s package-lock.json "$place/installed"; then
    rm -f "$place/installed"
    bash test/arm/enter.sh "$place/root" "$place/house" env HOME=/root npm_config_nodedir=/usr \
      npm ci --no-audit --no-fund >"$place/log" 2>&1 || die "npm ci on $1: $(tail -n 5 "$place/log")"
    cp package-lock.json "$place/installed"
    echo "arm: $1: npm ci took $((SECONDS - started)) s"
  fi
  rm -rf "$place/house/dist"
  cp -r dist "$place/house/dist"
}

npm run --silent build
[ $# -gt 0 ] || set -- arm64 armv7
for processor in "$@"; do
  case $processor in
    arm64) make_root arm64 arm64 ;;
    armv7) make_root armv7 armhf ;;
    *) die "there is no $processor; there are arm64 and armv7" ;;
  esac
  install_house "$processor"
  # What the tests start in Node's place.
  printf '#!/bin/sh\nexec bash "%s/test/arm/enter.sh" "%s" "%s" /usr/bin/node "$@"\n' "$PWD" "$cache/$processor/root" "$cache/$processor/house" >"$cache/$processor/node"
  chmod 755 "$cache/$processor/node"
  echo "arm: $processor: Node $("$cache/$processor/node" -p 'process.version + ", " + process.arch')"
  TEST_NODE=$cache/$processor/node TEST_PROCESSOR=$processor npx vitest run --config test/arm/vitest.config.ts
done
