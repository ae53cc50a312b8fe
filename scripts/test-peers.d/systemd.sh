# shellcheck shell=bash
# systemd's own word on our units, and its way of handing a socket over.

setup_systemd() {
    have systemd-analyze systemd || return 1
    systemd-analyze --version | head -n 1
}

other_systemd() {
    local manager units="$WORK/systemd/units" run="$WORK/systemd/run" socket
    mkdir -p -m 700 "$units" "$run" "$run/waxseal"
    export XDG_RUNTIME_DIR="$run"
    cp "$PEERS"/../../contrib/systemd/waxseal-agent.* "$units"
    # A user's folder of programs is not one of systemd's.
    sed -i "s|^ExecStart=waxseal|ExecStart=$(command -v waxseal)|" "$units/waxseal-agent.service"
    check 'the units are well-formed, and systemd knows every word of them' verified

    socket=$(sed -n 's|^ListenStream=%t|'"$run"'|p' "$units/waxseal-agent.socket")
    systemd-socket-activate --listen="$socket" --setenv=XDG_RUNTIME_DIR="$run" --setenv=HOME="$HOME" \
        "$(command -v waxseal)" agent --idle 1s >activate.out 2>&1 &
    manager=$!
    for _ in $(seq 50); do
        [ ! -S "$socket" ] || break
        sleep 0.1
    done
    # systemd does that for the unit.
    chmod 600 "$socket"
    export WAXSEAL_INSTANCE=home
    check 'the first who connects has the agent started' waxseal login
    check 'the agent on the socket of the manager knows the login' waxseal whoami
    check 'and forgets it' waxseal logout
    wait "$manager" || true
    check 'when it is idle it leaves the socket where it was' [ -S "$socket" ]
}

verified() {
    local said
    said=$(systemd-analyze verify --user "$units"/waxseal-agent.socket "$units"/waxseal-agent.service 2>&1)
    echo "$said"
    [ -z "$said" ]
}
