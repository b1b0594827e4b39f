#!/bin/sh
# BR2_ROOTFS_POST_BUILD_SCRIPT: puts Komainu's lines into /etc/inittab, before the one that starts the network, and the
# folder of the state where it is mounted. A second run changes nothing.
set -eu
target=${1:?usage: post-build.sh TARGET_DIR}
inittab=$target/etc/inittab
mkdir -p "$target/var/lib/komainu"
[ -f "$inittab" ] || exit 0

lines='::sysinit:/usr/sbin/komainu-start
::respawn:/usr/sbin/komainu run'
[ ! -e "$target/usr/sbin/read-only-root" ] || lines="::sysinit:/usr/sbin/read-only-root
$lines"

awk -v lines="$lines" '
	index($0, "/usr/sbin/komainu") || index($0, "/usr/sbin/read-only-root") { next }
	# The first line that runs the scripts of /etc/init.d: what it starts has the network among it.
	!done && /^[^#]*:sysinit:.*(rcS|rc\.sysinit|init\.d)/ { print lines; done = 1 }
	{ print }
	END { if (!done) exit 3 }
' "$inittab" >"$inittab.new" || {
	rm -f "$inittab.new"
	echo "post-build.sh: $inittab has no ::sysinit: line that starts /etc/init.d: put Komainu's lines there by hand" >&2
	exit 1
}
mv "$inittab.new" "$inittab"
