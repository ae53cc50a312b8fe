# shellcheck shell=bash
# A real sshd on this machine, and ssh with RemoteForward: the other end has a home of its own, and no login.

setup_sshd() {
    have ssh openssh-client || return 1
    PATH="$PATH:/usr/sbin" have sshd openssh-server || return 1
    have script bsdutils || return 1
    ssh -V 2>&1
}

other_sshd() {
    local near="$WORK/sshd/near" far="$WORK/sshd/far" sshd port socket screen
    sshd=$(PATH="$PATH:/usr/sbin" command -v sshd)
    mkdir -p -m 700 "$near" far far/.cache far/.cache/waxseal far/.cache/waxseal/agent
    export XDG_RUNTIME_DIR="$near"
    socket="$far/.cache/waxseal/agent/forwarded.sock" screen="$WORK/sshd/screen"
    make_server || return 1
    trap 'kill "$(cat sshd.pid)" 2>/dev/null; waxseal agent --stop; exec 9>&-' RETURN
    log_in_there git --version || { cat sshd.log; return 1; }

    export WAXSEAL_INSTANCE=home
    waxseal login
    # A person, who says yes to what is asked.
    mkfifo keys
    env -u GIT_TERMINAL_PROMPT SHELL=/bin/sh script --quiet --return --flush --command 'waxseal agent --forward' /dev/null \
        <keys >"$screen" 2>&1 &
    exec 9>keys
    until_shown 1 'ready to sign' || { cat "$screen"; return 1; }

    far_repository
    check 'a commit there is signed here, after a yes' commit_there 1 y 'one'
    check 'and it verifies there, as the one who is logged in here' good_there
    check 'the other end has no agent' [ ! -e "$far/.cache/waxseal/agent/agent.sock" ]
    check 'a no here is an error there' refuses commit_there 2 n 'two'
    check 'the socket is only for its user, and held by sshd' [ "$(stat -c %a "$socket")" = 600 ]
    check 'a second connection takes the place of what a first one left' commit_there 3 y 'three'
    # Without ssh the far side has nobody to ask.
    check 'without ssh nobody there is waited for' nobody_there
}

# One for this user alone, on a port that nobody has.
make_server() {
    local name
    for name in host user; do ssh-keygen -q -t ed25519 -N '' -f "$name"; done
    cp user.pub authorized
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    for port in $(seq 42000 97 43900); do
        cat >sshd_config <<END
Port $port
ListenAddress 127.0.0.1
HostKey $WORK/sshd/host
AuthorizedKeysFile $WORK/sshd/authorized
PidFile $WORK/sshd/sshd.pid
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
AllowStreamLocalForwarding yes
StreamLocalBindUnlink yes
END
        "$sshd" -f "$WORK/sshd/sshd_config" -E "$WORK/sshd/sshd.log"
        for _ in $(seq 30); do
            if [ -s sshd.pid ]; then return 0; fi
            sleep 0.1
        done
    done
    cat sshd.log
    return 1
}

# usage: log_in_there COMMAND…
log_in_there() {
    ssh -F none -p "$port" -i "$WORK/sshd/user" -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=10 \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ExitOnForwardFailure=yes \
        -R "$socket:$near/waxseal/forward.sock" "$(id -un)@127.0.0.1" "$(printf '%q ' "$@")"
}

# What a user has at the other end: another home, no runtime folder, nothing of this one's.
there() {
    printf '%s\n' env -i "PATH=$PATH" "HOME=$far" GIT_CONFIG_NOSYSTEM=1 NO_GCE_CHECK=true GIT_TERMINAL_PROMPT=0 "NO_PROXY=$NO_PROXY"
}

run_there() {
    local environment
    mapfile -t environment < <(there)
    log_in_there "${environment[@]}" "$@" </dev/null
}

far_repository() {
    local environment
    mapfile -t environment < <(there)
    "${environment[@]}" waxseal trust add home --url "$STACK_URL" --sha256 "$STACK_DIGEST"
    make_repository "$far/repository"
    git -C "$far/repository" config --unset waxseal.loginHint
    git -C "$far/repository" config waxseal.allow "$IDENTITY $ISSUER home"
}

# usage: until_shown COUNT WORDS
until_shown() {
    for _ in $(seq 200); do
        [ "$(grep -c "$2" "$screen")" -lt "$1" ] || return 0
        sleep 0.1
    done
    return 1
}

# usage: commit_there QUESTION ANSWER MESSAGE
commit_there() {
    local ssh code=0
    run_there git -C "$far/repository" commit --quiet --allow-empty -S -m "$3" &
    ssh=$!
    if until_shown "$1" 'sign that?'; then echo "$2" >&9; else cat "$screen"; kill "$ssh"; fi
    wait "$ssh" || code=$?
    return "$code"
}

good_there() { [ "$(run_there git -C "$far/repository" log --format='%G? %GS')" = "G $IDENTITY ($ISSUER)" ]; }

# What ssh left is nobody: a login of its own is tried, and there is neither a browser nor a terminal.
nobody_there() {
    local environment started=$SECONDS
    mapfile -t environment < <(there)
    refuses "${environment[@]}" git -C "$far/repository" commit --allow-empty -S -m four || return 1
    grep 'nobody can sign in here' "$far/.local/state/waxseal/last-error"
    [ $((SECONDS - started)) -lt 10 ]
}
