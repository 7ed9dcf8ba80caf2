#!/usr/bin/env bash
# enter.sh ROOT HOUSE COMMAND…: runs a program of another processor's Debian in ROOT, under qemu's user emulation; what lies in the
# folder HOUSE is seen there under this checkout's own path, and /tmp is the same, so that configurations, sockets and
# pseudo-terminals of this machine's tests have the same names. The emulator is registered in a user namespace that ends with the command (Linux
# 6.7 or later): this machine is left as it was. The command itself takes the shell's place, so that signals reach it.
set -euo pipefail
ENTER_CHECKOUT=$(cd "$(dirname "$0")/../.." && pwd)
ENTER_ROOT=$1 ENTER_HOUSE=$2
shift 2
export ENTER_CHECKOUT ENTER_ROOT ENTER_HOUSE
exec unshare --user --map-root-user --mount bash -euc '
  root=$ENTER_ROOT
  mount -t binfmt_misc none "$root/mnt"
  # After the name: type, offset, the first bytes of an ELF file of that machine, their mask, the emulator, and F: opened now.
  emulate() { printf "%s\n" ":$1:M::\\x7fELF\\x0$2\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x$3\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:/usr/bin/$1-static:F" >"$root/mnt/register"; }
  emulate qemu-aarch64 2 b7
  emulate qemu-arm 1 28
  for place in dev proc sys tmp; do mount --rbind "/$place" "$root/$place"; done
  for place in /etc/resolv.conf /etc/hosts /etc/ssl/certs; do [ ! -e "$place" ] || mount --bind "$place" "$root$place"; done
  # For npm alone: itself, and its settings.
  [ ! -e "${ENTER_NPMRC:-}" ] || mount --bind "$ENTER_NPMRC" "$root/root/.npmrc"
  [ ! -e "${ENTER_NPM:-}" ] || mount --bind "$ENTER_NPM" "$root/usr/lib/node_modules/npm"
  mount --bind "$ENTER_HOUSE" "$root$ENTER_CHECKOUT"
  exec chroot "$root" /usr/bin/env --chdir="$PWD" "$@"' - "$@"
