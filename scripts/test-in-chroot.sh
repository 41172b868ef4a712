#!/bin/sh
# test-in-chroot.sh [--keep] [COMMAND...] - the honest test: a fresh Debian 12 that has git and a shell and nothing
# else, a clone of this checkout's last commit in it, and in the clone ./test.sh and ./demo.sh (or COMMAND...).
#
# Needs root and debootstrap. Package sources, proxies and other settings of apt are this machine's own. The folder is
# SDW_CHROOT (default: build/chroot); it is removed at the end unless --keep. SDW_CHROOT_USER=yes runs the commands as
# an ordinary user with sudo instead of as root.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
place=${SDW_CHROOT:-$root/build/chroot}
keep=no
[ "${1:-}" != --keep ] || { keep=yes; shift; }
[ $# -gt 0 ] || set -- ./test.sh ./demo.sh
[ "$(id -u)" = 0 ] || { echo "test-in-chroot: needs root" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "test-in-chroot: needs the package debootstrap" >&2; exit 2; }

# The first address that this machine's apt fetches the suite's main archive from.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(SUITE) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "bookworm" || $3 == "bookworm" { print $1; exit }')
[ -n "$mirror" ] || { echo "test-in-chroot: apt's configuration names no source of Debian 12 (bookworm)" >&2; exit 2; }

unmount() {
    for part in proc dev sys; do
        if mountpoint -q "$place/$part"; then umount -R -l "$place/$part"; fi
    done
}
cleanup() {
    unmount
    [ "$keep" = yes ] || rm -rf --one-file-system "$place"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

if ! [ -e "$place/etc/debian_version" ]; then
    echo "== bare Debian 12 into $place"
    mkdir -p "$place"
    debootstrap --variant=minbase --include=git bookworm "$place" "$mirror" >"$place.log" 2>&1 ||
        { tail -n 20 "$place.log"; exit 1; }
    rm -f "$place.log"
fi
# apt in there: the same sources, keys and settings as here.
rm -f "$place/etc/apt/sources.list"
for part in sources.list sources.list.d apt.conf apt.conf.d preferences.d keyrings trusted.gpg.d; do
    if [ -e "/etc/apt/$part" ]; then cp -a "/etc/apt/$part" "$place/etc/apt/"; fi
done
# Certificates that this machine trusts beside the usual ones: a proxy's, say.
if [ -d /usr/local/share/ca-certificates ]; then
    mkdir -p "$place/usr/local/share"
    cp -a /usr/local/share/ca-certificates "$place/usr/local/share/"
fi
cp /etc/resolv.conf "$place/etc/resolv.conf"
cp /etc/hosts "$place/etc/hosts"
mount -t proc proc "$place/proc"
mount --rbind /dev "$place/dev"
mount --make-rslave "$place/dev"

echo "== what is there: $(chroot "$place" sh -c 'dpkg -l | grep -c ^ii') packages;" \
    "make, cc, cmake: $(chroot "$place" sh -c 'for p in make cc cmake; do command -v $p || echo none; done' | tr '\n' ' ')"
rm -rf "$place/srv/sdw" "$place/srv/sdw.git"
git clone -q --bare "$root" "$place/srv/sdw.git"

enter() { chroot "$place" env -i HOME="$home" PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}" "$@"; }
home=/root
if [ "${SDW_CHROOT_USER:-no}" = yes ]; then
    enter sh -c 'apt-get update -q && apt-get install -y -q --no-install-recommends sudo' >/dev/null
    enter sh -c 'id newcomer >/dev/null 2>&1 || useradd -m newcomer
        echo "newcomer ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/newcomer; chown newcomer /srv'
    home=/home/newcomer
    as_whom="setpriv --reuid=newcomer --regid=newcomer --init-groups"
fi
# shellcheck disable=SC2086 # words on purpose
run() { enter ${as_whom:-} "$@"; }
run git config --global --add safe.directory '*'
run git clone -q /srv/sdw.git /srv/sdw

worst=0
for command in "$@"; do
    begun=$(date +%s)
    echo "== $command"
    code=0
    run sh -c "cd /srv/sdw && $command" || { code=$?; worst=1; }
    echo "== $command: exit code $code after $(($(date +%s) - begun)) s"
done
echo "== left behind in the clone: $(run sh -c 'cd /srv/sdw && git status --short | wc -l') files that git does not know"
exit $worst
