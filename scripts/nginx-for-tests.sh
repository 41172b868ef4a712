#!/bin/sh
# nginx-for-tests.sh FOLDER - prints the path of an nginx program for tests/server/test_nginx.c: the system's, or one
# unpacked below FOLDER from Debian's own packages. They are not installed: that would start a web server. Without
# either: exit 1, and one line on standard error says why.
set -eu
folder=${1:?usage: nginx-for-tests.sh FOLDER}
for program in /usr/sbin/nginx "$folder/usr/sbin/nginx"; do
    if [ -x "$program" ]; then
        printf '%s\n' "$program"
        exit 0
    fi
done
fail() { printf '%s\n' "nginx-for-tests: $*" >&2; exit 1; }
command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || fail "no nginx, and no apt-get to fetch one"
mkdir -p "$folder"
cd "$folder"
apt-get download -q nginx nginx-common >download.log 2>&1 || fail "apt-get download nginx: $(tail -n 1 download.log)"
for package in *.deb; do dpkg -x "$package" .; done
rm -f -- *.deb
[ -x usr/sbin/nginx ] || fail "Debian's package holds no usr/sbin/nginx"
missing=$(ldd usr/sbin/nginx | sed -n 's/^[[:space:]]*\([^ ]*\) => not found.*/\1/p' | tr '\n' ' ')
[ -z "$missing" ] || fail "nginx needs libraries that are not here: $missing"
printf '%s\n' "$PWD/usr/sbin/nginx"
