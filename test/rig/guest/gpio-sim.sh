#!/usr/bin/env bash
# Debian's kernel has no gpio-sim, so the kernel's own is built as a module from Debian's linux-source (150 MB to fetch, once).
# Prints the module's path; IMAGE is the directory that build.sh printed. Fails with one line that says why. Needs root.
set -euo pipefail
image=${1:?}
version=$(cat "$image/kernel")
module=$image/gpio-sim.ko
if [ -e "$module" ]; then echo "$module"; exit 0; fi
die() { echo "rig: $*" >&2; exit 1; }
work=$(mktemp -d "$image/gpio.XXXXXX")
trap 'rm -rf "$work"' EXIT
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "linux-headers-$version" make gcc xz-utils >"$work/log" 2>&1 ||
  die "apt cannot install linux-headers-$version"
source=linux-source-$(echo "$version" | cut -d. -f1,2)
(cd "$work" && apt-get download -qq "$source" 2>/dev/null) || die "apt cannot fetch $source"
mkdir -p "$work/deb" "$work/module"
dpkg-deb --fsys-tarfile "$work"/linux-source-*.deb | tar -C "$work/deb" -x --wildcards '*/linux-source-*.tar.xz'
tar -C "$work/deb" -xJf "$work/deb/usr/src/$source.tar.xz" \
  "$source/drivers/gpio/gpio-sim.c" "$source/drivers/gpio/gpiolib.h" "$source/kernel/irq/irq_sim.c"
cp "$work/deb/$source/drivers/gpio/gpiolib.h" "$work/module/"
cp "$work/deb/$source/drivers/gpio/gpio-sim.c" "$work/module/sim.c"
# irq_to_desc is not exported to modules; generic_handle_irq does the same and is.
sed 's/handle_simple_irq(irq_to_desc(\([a-z]*\)));/generic_handle_irq(\1);/' "$work/deb/$source/kernel/irq/irq_sim.c" >"$work/module/irqsim.c"
printf 'obj-m := gpio-sim.o\ngpio-sim-y := sim.o irqsim.o\n' >"$work/module/Makefile"
make -s -C "/usr/src/linux-headers-$version" M="$work/module" modules >"$work/log" 2>&1 || die "gpio-sim does not build: $(tail -n 1 "$work/log")"
mv "$work/module/gpio-sim.ko" "$module"
echo "$module"
