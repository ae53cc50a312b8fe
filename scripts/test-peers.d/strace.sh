# shellcheck shell=bash
# The tests that scripts/test skips without strace: the order in which logs write, and every one of their calls failing; that
# verifying opens no socket. And that the user's other programs do not look into the agent.

setup_strace() {
    have strace strace
    strace --version | head -n 1
}

other_strace() {
    check 'logs write in order, and lose nothing when a call fails' unskipped disk_faults
    check 'verifying opens no socket and starts no process' unskipped verifying_opens_no_socket
    agent_is_closed
}

# A test that skips itself has shown nothing.
unskipped() {
    (cd "$PEERS/../.." && cargo test --locked --test integration "$1" -- --nocapture) >"$1.out" 2>&1 || { cat "$1.out"; return 1; }
    ! grep 'skipped:' "$1.out"
}

# As a user who is not root: root may look into everything.
agent_is_closed() {
    local user=() agent other run="$WORK/strace/run"
    mkdir -p -m 700 "$run"
    if [ "$(id -u)" -eq 0 ]; then
        user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
        chmod 755 "$SANDBOX" "$WORK" "$WORK/strace"
        chown 65534:65534 "$run"
    fi
    cp "$(command -v waxseal)" waxseal
    ${user[@]+"${user[@]}"} sleep 60 &
    other=$!
    (cd / && exec ${user[@]+"${user[@]}"} env HOME="$run" XDG_RUNTIME_DIR="$run" "$WORK/strace/waxseal" agent) >agent.out 2>&1 &
    agent=$!
    for _ in $(seq 200); do
        ! grep -q 'listens at' agent.out || break
        sleep 0.1
    done
    if ! traced "$other" ${user[@]+"${user[@]}"}; then
        echo '  not run: who may trace the agent: nobody may trace anything here'
    else
        check "the user's other programs cannot trace the agent" refuses traced "$agent" ${user[@]+"${user[@]}"}
        check 'nor read its memory' refuses ${user[@]+"${user[@]}"} head -c 0 "/proc/$agent/mem"
    fi
    check 'nothing is dumped when it crashes' no_core "$agent"
    kill "$other" "$agent" 2>/dev/null || true
}

# usage: traced PROCESS [COMMAND…]
traced() {
    local said
    kill -0 "$1" || return
    said=$(timeout 1 "${@:2}" strace -qq -o /dev/null -p "$1" -e trace=none 2>&1) || true
    ! grep 'attach: ptrace' <<<"$said"
}

no_core() {
    grep '^Max core file size  *0  *0 ' "/proc/$1/limits" || { cat "/proc/$1/limits"; return 1; }
}
