#!/usr/bin/env bash
# Makes the guest that the rig boots: Debian's own kernel, a root with systemd, udev, sshd, pcscd and this machine's node.
# Prints the directory it lies in, named by the hash of all that goes into it, so that an unchanged one is made once.
# Fails with one line that says why. Debian's packages only, from wherever apt is told to fetch them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${RIG_CACHE:-${TMPDIR:-/tmp}/rig-cache}
suite=bookworm
say() { echo "rig: $*" >&2; }
die() { say "$*"; exit 1; }

[ "$(uname -m)" = x86_64 ] || die 'the guest can be made on an x86-64 machine only'
node=$(readlink -f "$(command -v node)")
hash=$({ cat "$here/build.sh" "$here/rig-ready.service"; echo "$suite"; "$node" --version; } | sha256sum | cut -c1-16)
out=$cache/$hash
if [ -e "$out/done" ]; then echo "$out"; exit 0; fi

[ "$(id -u)" = 0 ] || die 'the guest has to be made by root, once'
mkdir -p "$out"
exec 9>"$cache/lock"; flock 9
if [ -e "$out/done" ]; then echo "$out"; exit 0; fi
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# ---- the kernel, and of its 400 MB of modules those that a rig can use
package=$(apt-cache depends "linux-image-amd64" | awk '/Depends: linux-image/{print $2; exit}')
[ -n "$package" ] || die 'apt knows no linux-image-amd64: run apt-get update'
say "making the guest ($package)"
(cd "$work" && apt-get download -qq "$package" 2>/dev/null) || die "apt cannot fetch $package"
dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
version=$(basename "$work"/kernel/lib/modules/*)
from=$work/kernel/lib/modules/$version
to=$work/modules/lib/modules/$version
mkdir -p "$to"
cp "$work/kernel/boot/vmlinuz-$version" "$out/vmlinuz"
cp "$from"/modules.builtin "$from"/modules.builtin.modinfo "$from"/modules.order "$to/"
for part in arch crypto lib fs/9p fs/ext4 fs/jbd2 fs/mbcache.ko fs/fscache fs/netfs fs/configfs fs/crypto fs/autofs fs/fuse \
            net/9p net/core net/ipv6 net/packet net/unix drivers/block drivers/char drivers/gpio drivers/hid drivers/i2c \
            drivers/input drivers/leds drivers/net/virtio_net.ko drivers/net/net_failover.ko drivers/tty drivers/usb drivers/virtio; do
  [ -e "$from/kernel/$part" ] || continue
  mkdir -p "$to/kernel/$(dirname "$part")"
  cp -r "$from/kernel/$part" "$to/kernel/$(dirname "$part")/"
done
depmod -b "$work/modules" "$version"

# ---- an initramfs of 2 MB: busybox, the root disk's modules, an init one can read
initrd=$work/initrd
mkdir -p "$initrd"/{bin,proc,sys,dev,newroot,modules}
cp "$(command -v busybox)" "$initrd/bin/"
ln -s busybox "$initrd/bin/sh"
for module in virtio_pci virtio_blk ext4 crc32c_intel crc32c_generic; do
  modprobe -d "$work/modules" -S "$version" --show-depends "$module" 2>/dev/null | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' | while read -r path; do
  cp "$path" "$initrd/modules/"
  echo "/modules/$(basename "$path")"
done >"$initrd/order"
cat >"$initrd/init" <<'INIT'
#!/bin/sh
export PATH=/bin
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
while read -r module; do busybox insmod "$module" 2>/dev/null; done </order
until root=$(busybox findfs LABEL=rigroot 2>/dev/null); do busybox usleep 50000; done
busybox mount -t ext4 -o rw,noatime "$root" /newroot || exec sh
busybox umount /proc
busybox umount /sys
busybox mount --move /dev /newroot/dev
exec busybox switch_root /newroot /sbin/init
INIT
chmod 755 "$initrd/init"
(cd "$initrd" && find . | LC_ALL=C sort | cpio --quiet -o -H newc | gzip -6) >"$out/initrd"

# ---- the root
packages=systemd,systemd-sysv,dbus,udev,kmod,openssh-server,procps,python3,e2fsprogs,util-linux,kbd
packages+=,pcscd,libccid,libpcsclite1,libusb-1.0-0,libudev1,gpiod,libgpiod2,libstdc++6
root=$work/root
mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" --aptopt='Apt::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' "$suite" "$root" >"$work/log" 2>&1 ||
  die "mmdebstrap failed: $(tail -n 1 "$work/log")"
mkdir -p "$root/lib/modules"
cp -a "$to" "$root/lib/modules/"
install -m 755 "$node" "$root/usr/bin/node"
ssh-keygen -q -t ed25519 -N '' -C rig -f "$out/key"
install -d -m 700 "$root/root/.ssh"
install -m 600 "$out/key.pub" "$root/root/.ssh/authorized_keys"
cat >"$root/etc/ssh/sshd_config.d/rig.conf" <<'SSHD'
UsePAM no
UseDNS no
PasswordAuthentication no
PrintMotd no
MaxSessions 50
SSHD
echo rig >"$root/etc/hostname"
printf '127.0.0.1 localhost rig\n' >"$root/etc/hosts"
echo 'LABEL=rigroot / ext4 noatime 0 1' >"$root/etc/fstab"
# QEMU's user network hands out these addresses always.
cat >"$root/etc/systemd/network/10-rig.network" <<'NETWORK'
[Match]
Type=ether
[Network]
Address=10.0.2.15/24
LinkLocalAddressing=no
IPv6AcceptRA=no
NETWORK
printf '[Journal]\nStorage=volatile\n' >"$root/etc/systemd/journald.conf"
cp "$here/rig-ready.service" "$root/etc/systemd/system/"
systemctl --root="$root" enable rig-ready.service systemd-networkd.service ssh.service pcscd.socket >"$work/log" 2>&1 ||
  die "a unit cannot be enabled: $(tail -n 1 "$work/log")"
# Nobody logs in on a console: what a keyboard types there is the tests' own affair. The rest only makes booting longer.
systemctl --root="$root" mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer getty@tty1.service serial-getty@ttyS0.service systemd-networkd-wait-online.service systemd-logind.service \
  systemd-binfmt.service proc-sys-fs-binfmt_misc.automount 2>/dev/null
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*

truncate -s 1500M "$work/root.img"
mkfs.ext4 -q -F -L rigroot -d "$root" "$work/root.img"
mv "$work/root.img" "$out/root.img"
echo "$version" >"$out/kernel"
touch "$out/done"
echo "$out"
