#!/usr/bin/env bash
# libgpiod's tools of version 2, which the guest's Debian has not: the next Debian's, unpacked, with the libraries that they want.
# Prints the directory (`tools` in it is for PATH); IMAGE is the directory that build.sh printed. Fails with one line that says
# why. Needs root.
set -euo pipefail
image=${1:?}
out=$image/gpio-two
if [ -e "$out/tools" ]; then echo "$out"; exit 0; fi
work=$(mktemp -d "$image/two.XXXXXX")
trap 'rm -rf "$work"' EXIT
mmdebstrap --quiet --mode=root --variant=extract --include=gpiod trixie "$work/root" >"$work/log" 2>&1 ||
  { echo "rig: apt cannot fetch gpiod of trixie: $(tail -n 1 "$work/log")" >&2; exit 1; }
mkdir -p "$work/two/tools"
cp -r "$work/root/usr" "$work/two/"
for tool in gpioget gpiomon gpioset; do
  cat >"$work/two/tools/$tool" <<TOOL
#!/bin/sh
two=\${0%/tools/*}/usr
exec "\$two/lib64/ld-linux-x86-64.so.2" --library-path "\$two/lib/x86_64-linux-gnu" "\$two/bin/$tool" "\$@"
TOOL
  chmod 755 "$work/two/tools/$tool"
done
rm -rf "$out"
mv "$work/two" "$out"
echo "$out"
