#!/usr/bin/env bash
# Brings the system packages that the tests need, where it may; otherwise says in one line what to install.
# With the word `rig`, also those that test/rig/ makes and boots its machine with; with `cluster`, RabbitMQ for test/cluster/;
# with `fleet`, PostgreSQL for test/fleet/.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="$PATH:/usr/sbin:/sbin"
declare -A package_of=([mosquitto]=mosquitto [nginx]=nginx-light [socat]=socat [nc]=netcat-openbsd [openssl]=openssl [pcscd]=pcscd [faketime]=faketime [python3]=python3 [make]=make [g++]=g++ [chromium-headless-shell]=chromium-headless-shell
  [systemd-analyze]=systemd [mosquitto_sub]=mosquitto-clients [curl]=curl [uuidgen]=uuid-runtime [pdftotext]=poppler-utils [gpioset]=gpiod)
declare -A package_with=([/usr/include/PCSC/winscard.h]=libpcsclite-dev [/usr/lib/pcsc/drivers/serial/libifdvpcd.so]=vsmartcard-vpcd [/usr/bin/time]=time)
# What node-hid is linked against.
declare -A package_of_library=([libusb-1.0.so.0]=libusb-1.0-0 [libudev.so.1]=libudev1)
[ "${1:-}" != rig ] || package_of+=([qemu-system-x86_64]=qemu-system-x86 [mmdebstrap]=mmdebstrap [busybox]=busybox-static
  [cpio]=cpio [depmod]=kmod [ssh]=openssh-client [mkfs.ext4]=e2fsprogs [debugfs]=e2fsprogs)
missing=()
for program in "${!package_of[@]}"; do
  command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
for file in "${!package_with[@]}"; do
  [ -e "$file" ] || missing+=("${package_with[$file]}")
done
libraries=$(ldconfig -p)
for library in "${!package_of_library[@]}"; do
  [[ $libraries == *"$library"* ]] || missing+=("${package_of_library[$library]}")
done
# Erlang, and those of its libraries that RabbitMQ says it needs.
[ "${1:-}" != cluster ] || for library in crypto eldap erts inets mnesia os_mon parsetools public_key runtime_tools ssl syntax_tools tools xmerl; do
  compgen -G "/usr/lib/erlang/lib/$library-*" >/dev/null || compgen -G "/usr/lib/erlang/$library-*" >/dev/null || missing+=("erlang-${library//_/-}")
done
missing=("${missing[@]/erlang-erts/erlang-base}")
[ "${1:-}" != fleet ] || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
log=$(mktemp)
folder=$(mktemp -d)
trap 'rm -rf "$log" "$folder"' EXIT
say() { echo "the tests need: ${missing[*]}; install them with: sudo apt-get install ${missing[*]}" >&2; exit 1; }
if [ "$(id -u)" = 0 ]; then as_root=(); else as_root=(sudo -n); fi
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null && "${as_root[@]}" true 2>/dev/null || say
  # Without a database and a server of the machine's own.
  [[ " ${missing[*]} " != *" postgresql "* ]] ||
    "${as_root[@]}" bash -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-common &&
      sed -i "s/^#*create_main_cluster .*/create_main_cluster = false/" /etc/postgresql-common/createcluster.conf' >"$log" 2>&1 || { tail -n 5 "$log" >&2; say; }
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive bash -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' - "${missing[@]}" >"$log" 2>&1 || { tail -n 5 "$log" >&2; say; }
fi
# Of what would start a server when it is installed, only what is wanted is unpacked, beside the checkout's own.
unpack() { # PACKAGE DIRECTORY-OR-FILE-IN-IT TARGET
  missing=("$1")
  local fetch='cd "$1" && apt-get download -qq "$2" && dpkg-deb -x "$2"_*.deb .'
  bash -c "$fetch" - "$folder" "$1" >"$log" 2>&1 ||
    { "${as_root[@]}" apt-get update -qq && bash -c "$fetch" - "$folder" "$1"; } >"$log" 2>&1 || { tail -n 5 "$log" >&2; say; }
  mkdir -p .tools && mv "$folder"/$2 "$3"
}
PATH="$PATH:.tools" command -v promtool >/dev/null || unpack prometheus usr/bin/promtool .tools/promtool
[ "${1:-}" != cluster ] || [ -d .tools/rabbitmq ] || unpack rabbitmq-server 'usr/lib/rabbitmq/lib/rabbitmq_server-*' .tools/rabbitmq
# nfc-pcsc is optional: where `npm ci` ran without libpcsclite-dev, npm left it out in silence.
if ! node -e 'require("@pokusew/pcsclite")' 2>/dev/null; then
  npm install --no-save --no-audit --no-fund >"$log" 2>&1 && node -e 'require("@pokusew/pcsclite")' 2>>"$log" ||
    { tail -n 5 "$log" >&2; echo "the tests need nfc-pcsc, which npm could not build: npm install" >&2; exit 1; }
fi
