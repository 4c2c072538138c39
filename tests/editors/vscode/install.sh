#!/usr/bin/env bash
# Installs what a real VS Code on this machine takes: Chromium from Debian, code-server from npm. What is there stays.
# Usage: install.sh FOLDER, with Node 24 and npm on PATH; NODE_HOME is Node's own folder, with its headers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?"a folder"}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
log=$folder/install.log

quietly() { "$@" >"$log" 2>&1 || { echo "$* failed:"; tail -n 20 "$log"; return 1; }; }

debian() {
    local root=()
    [ "$(id -u)" = 0 ] || root=(sudo -n)
    export DEBIAN_FRONTEND=noninteractive
    command -v apt-get >/dev/null || { echo "The tests of VS Code need $*: install that by hand."; return 1; }
    quietly "${root[@]}" apt-get update -qq
    quietly "${root[@]}" apt-get install -y -qq --no-install-recommends "$@" ||
        { echo "The tests of VS Code need $*. Install that by: apt install $*"; return 1; }
}

command -v "${CHROMIUM:-chromium}" >/dev/null || debian chromium

# code-server without its native builds, which take two minutes; its log needs one of them.
if ! cmp -s "$here/package-lock.json" "$folder/installed"; then
    command -v c++ >/dev/null && command -v make >/dev/null || debian g++ make
    cp "$here"/package.json "$here"/package-lock.json "$here"/.npmrc "$folder"
    cd "$folder"
    quietly npm ci --ignore-scripts
    # Its own lock lacks a package, so that `npm ci` would refuse; it installs itself by `npm install`, too.
    code=$folder/node_modules/code-server/lib/vscode
    cd "$code"
    quietly npm install --omit=dev --ignore-scripts
    cd "$code/extensions"
    quietly npm install --omit=dev --ignore-scripts
    cd "$code"
    npm_config_nodedir=$NODE_HOME quietly npm rebuild @vscode/spdlog
    cp "$here/package-lock.json" "$folder/installed"
fi
node "$folder/node_modules/code-server/out/node/entry.js" --config "$folder/config.yaml" --version
