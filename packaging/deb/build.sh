#!/usr/bin/env bash
# npm run package:deb [-- DIRECTORY]: a Debian package of this checkout, with the Node that builds it, for Debians whose own is too old.
# Prints its path. Nothing is fetched: the program is packed as npm would, its packages are those of node_modules.
# PACKAGE_VERSION: another version than package.json's, in Debian's spelling.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
out=$(realpath -m "${1:-packages}")
umask 022
version=${PACKAGE_VERSION:-$(node -p 'require("./package.json").version.replace("-", "~")')}
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
lib=$root/usr/lib/grindvakt/package
mkdir -p "$lib" "$out"

# ---- the program, as npm packs it, and the packages it needs at run time
npm pack --silent --pack-destination "$work" >/dev/null
tar x -C "$lib" --strip-components=1 -f "$work"/grindvakt-*.tgz
npm ls --omit=dev --all --parseable 2>/dev/null | tail -n +2 | while read -r path; do
  part=${path#"$PWD/"}
  mkdir -p "$lib/$(dirname "$part")"
  cp -r "$path" "$lib/$(dirname "$part")/"
done
rm -rf "$lib"/node_modules/.bin "$lib"/node_modules/node-hid/{hidapi,src} "$lib"/node_modules/.package-lock.json
# Of what packages bring for every machine, what this one can load; and nothing of how they were compiled here.
platform=$(node -p '`${process.platform}-${process.arch}`')
for prebuilds in "$lib"/node_modules/@serialport/bindings-cpp/prebuilds "$lib"/node_modules/node-hid/prebuilds; do
  find "$prebuilds" -mindepth 1 -maxdepth 1 ! -name "*${platform/-/*}*" -exec rm -rf {} +
done
find "$lib" \( -name '*-musl' -o -name obj.target -o -name .deps -o -name '*.musl.node' -o -name 'node-napi-v*.armv*.node' -o -name .github \) -prune -exec rm -rf {} +
find "$lib/node_modules" \( -name '.[!.]*' -o -name '*.html' -o -name '*.strings' \) -type f -delete
find "$lib" -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.cc' -o -name '*.cpp' -o -name '*.h' \) -delete
find "$lib" -type f ! -name '*.node' -exec chmod 644 {} +
find "$lib" -name '*.node' -exec chmod 644 {} + -exec strip --strip-unneeded {} +
find "$lib" -type d -empty -delete
node packaging/sbom.js "$lib/sbom.cdx.json" --with-node
# Nobody starts it by its name here: the Node beside it does.
sed -i "1{/^#!/d}" "$lib/dist/daemon/cli.js"
# What the program says of itself, too.
node -e 'const fs = require("fs"), [file, version] = process.argv.slice(1); const it = JSON.parse(fs.readFileSync(file)); it.version = version; fs.writeFileSync(file, JSON.stringify(it, null, 2))' \
  "$lib/package.json" "${version/\~/-}"
install -m 755 "$(node -p process.execPath)" "$lib/node"
strip --strip-unneeded "$lib/node"

# ---- what lies elsewhere
install -D -m 755 "$here/grindvakt.sh" "$root/usr/bin/grindvakt"
install -D -m 644 "$here/grindvakt.yaml" "$root/etc/grindvakt/grindvakt.yaml"
node "$here/texts.js" "$root"
doc=$root/usr/share/doc/grindvakt
mkdir -p "$doc"
{ cat "$here/copyright"; sed 's/^$/./; s/^/ /' LICENSE; } >"$doc/copyright"
for licence in "$(dirname "$(node -p process.execPath)")"/../{LICENSE,share/doc/nodejs/LICENSE}; do
  [ ! -e "$licence" ] || gzip -9nc "$licence" >"$doc/LICENSE.node.gz"
done
date=$(git log -1 --format=%cD 2>/dev/null || date -R)
printf 'grindvakt (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md in /usr/lib/grindvakt/current.\n\n -- Grindvakt <grindvakt@localhost>  %s\n' "$version" "$date" |
  gzip -9n >"$doc/changelog.gz"

install -D -m 644 "$here/lintian-overrides" "$root/usr/share/lintian/overrides/grindvakt"

# ---- what dpkg reads
mkdir "$root/DEBIAN"
size=$(du -sk --apparent-size "$root" | cut -f 1)
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/" "$here/control" >"$root/DEBIAN/control"
echo /etc/grindvakt/grindvakt.yaml >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "$here/$script" "$root/DEBIAN/$script"; done
(cd "$root" && find usr lib -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
package=$out/grindvakt_${version}_$architecture.deb
# Squeezed lightly: what takes time is Node itself, and little comes of more.
dpkg-deb --root-owner-group -Zxz -z1 --build "$root" "$package" >/dev/null
echo "$package"
