#!/usr/bin/env bash
# Unpacks what the Neovim tests take from Debian: the newest Neovim, luacheck, which that runs, and lualine.
# Usage: install.sh FOLDER. The system stays as it is, and no rights are needed, but apt-get and dpkg-deb.
set -euo pipefail
mkdir -p "$(dirname "${1:?"a folder"}")"
folder=$(realpath "$(dirname "$1")")/$(basename "$1")
suite=${DEBIAN_SUITE:-forky}
for program in apt-get dpkg-deb; do
    command -v $program >/dev/null || { echo "Neovim 0.12 and luacheck come from Debian by $program, which is not here."; exit 1; }
done
scratch=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# An apt that knows nothing of what this machine has: every library comes along, as new as it has to be.
mkdir -p "$scratch"/{parts,lists/partial,cache/archives/partial,root/bin}
: >"$scratch/status"
mirrors=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages')
mirror=${DEBIAN_MIRROR:-$(grep --max-count 1 'debian/\?$' <<<"$mirrors" || true)}
[ "$mirror" ] || { echo "apt knows no mirror of Debian here: say one in DEBIAN_MIRROR, as https://HOST/debian."; exit 1; }
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror $suite main" >"$scratch/sources.list"
own_apt() {
    apt-get -qq -o Dir::Etc::sourcelist="$scratch/sources.list" -o Dir::Etc::sourceparts="$scratch/parts" \
        -o Dir::Etc::preferencesparts="$scratch/parts" -o Dir::State::Lists="$scratch/lists" \
        -o Dir::State::status="$scratch/status" -o Dir::Cache="$scratch/cache" -o Acquire::Languages=none \
        -o Acquire::Retries=3 -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1 "$@"
}
own_apt update
own_apt -y --no-install-recommends --download-only install neovim neovim-lualine lua-check patchelf >"$scratch/apt.log" ||
    { cat "$scratch/apt.log"; exit 1; }
root=$scratch/root
for package in "$scratch"/cache/archives/*.deb; do
    dpkg-deb --extract "$package" "$root"
done

# Its libraries are newer than this machine's: it is told where it will find them.
libraries=$(dirname "$(find "$root/usr/lib" -name libc.so.6)")
loader=$(find "$libraries" -name 'ld-linux*.so.*' | head -n 1)
"$loader" --library-path "$libraries" "$root/usr/bin/patchelf" --set-interpreter "$folder${loader#"$root"}" \
    --force-rpath --set-rpath "\$ORIGIN/..${libraries#"$root/usr"}" "$root/usr/bin/nvim"
ln -s ../usr/bin/nvim "$root/bin/nvim"
cat >"$root/bin/luacheck" <<END
#!/bin/sh
LUA_PATH='$folder/usr/share/lua/5.1/?.lua;$folder/usr/share/lua/5.1/?/init.lua' \\
LUA_CPATH='$folder${libraries#"$root"}/lua/5.1/?.so' exec '$folder/bin/nvim' --clean -l '$folder/usr/bin/luacheck' "\$@"
END
chmod +x "$root/bin/luacheck"
rm -rf "$root"/usr/share/{doc,man,locale,lintian,icons} "$libraries/gconv" "$folder"
mv "$root" "$folder"
"$folder/bin/nvim" --version | head -n 1
