#!/usr/bin/env bash
# Brings the system packages that the tests need, where it may; otherwise says in one line what to install.
set -euo pipefail
declare -A package_of=([mosquitto]=mosquitto [nginx]=nginx-light [socat]=socat [nc]=netcat-openbsd [openssl]=openssl)
missing=()
for program in "${!package_of[@]}"; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
# What node-hid is linked against.
declare -A package_of_library=([libusb-1.0.so.0]=libusb-1.0-0 [libudev.so.1]=libudev1)
libraries=$(PATH="$PATH:/usr/sbin:/sbin" ldconfig -p)
for library in "${!package_of_library[@]}"; do
  [[ $libraries == *"$library"* ]] || missing+=("${package_of_library[$library]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0
say() { echo "the tests need: ${missing[*]}; install them with: sudo apt-get install ${missing[*]}" >&2; exit 1; }
command -v apt-get >/dev/null || say
if [ "$(id -u)" = 0 ]; then as_root=(); elif sudo -n true 2>/dev/null; then as_root=(sudo -n); else say; fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive bash -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' - "${missing[@]}" >"$log" 2>&1 || { tail -n 5 "$log" >&2; say; }
