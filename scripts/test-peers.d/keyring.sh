# shellcheck shell=bash
# A login in a key ring that is not ours: gnome-keyring on a session bus of its own, looked into with secret-tool.

setup_keyring() {
    have dbus-daemon dbus-daemon
    have gnome-keyring-daemon gnome-keyring
    have secret-tool libsecret-tools
    have python3 python3
    gnome-keyring-daemon --version
}

other_keyring() {
    make_repository repository
    git -C repository config waxseal.credentialStore keyring
    git -C repository config waxseal.allow "$IDENTITY $ISSUER home"
    mkdir -m 700 run keyrings
    export XDG_RUNTIME_DIR="$PWD/run"
    dbus-daemon --session --nofork --nopidfile --print-address=3 3>address 2>bus.err &
    await test -s address
    DBUS_SESSION_BUS_ADDRESS=$(cat address)
    export DBUS_SESSION_BUS_ADDRESS
    # Its files beside the others of this peer; waxseal's own data stays where it is.
    XDG_DATA_HOME="$PWD/keyrings" gnome-keyring-daemon --unlock --foreground --components=secrets \
        <<<'password' >keyring.out 2>&1 &
    await secret-tool search --all service waxseal

    check 'a login is kept' logged_in
    check 'one item, with tokens and no key' holds_tokens
    check 'a signature takes it with nobody asked, when the agent has ended' signs_alone
    check 'so does one when the ID token is over; the new refresh token is kept' signs_renewed
    check 'and the one after that' signs_renewed
    check 'a second login takes its place' one_again
    secret >kept
    check 'logging out empties it' logged_out
    check 'what was kept is worth nothing then' refuses put_back
    check 'an agent that has ended leaves a login that is logged out all the same' logged_out_alone
    check 'what was kept is worth nothing then, either' refuses put_back
    check 'the doctor sees it' doctor_sees ok
    kill %2
    check 'a signature does without, once it is gone' signs_with_login
    waxseal agent --stop
}

logged_in() { (cd repository && waxseal login) && holds 1; }

holds_tokens() {
    holds 1 && secret | python3 -c 'import json, sys
kept = json.load(sys.stdin)
assert sorted(kept) == ["asked", "refresh_token", "token", "until"], sorted(kept)
assert kept["token"].count(".") == 2 and kept["refresh_token"]'
}

# Where a login was needed, it would fail: there is no terminal to show a code on.
signs_alone() {
    waxseal agent --stop &&
        WAXSEAL_LOGIN=device WAXSEAL_VERBOSE=1 git -C repository commit --quiet --allow-empty -S -m 'Nobody is asked' &&
        git -C repository verify-commit HEAD
}

signs_renewed() {
    local before
    before=$(secret | refresh_token)
    secret | expired | store
    signs_alone && holds 1 && [ "$(secret | refresh_token)" != "$before" ]
}

one_again() { logged_in && holds 1; }

logged_out() { (cd repository && waxseal logout) && holds 0; }

logged_out_alone() {
    logged_in && secret >kept && waxseal agent --stop && logged_out
}

# The refresh token of a login that is over; the ID token alone would do for its lifetime.
put_back() {
    expired <kept | store
    signs_alone
    local code=$?
    holds 0 || return 0
    return "$code"
}

doctor_sees() { (cd repository && waxseal doctor --offline --json || true) | grep '"key-ring"' | grep "\"$1\""; }

signs_with_login() {
    waxseal agent --stop &&
        git -C repository commit --quiet --allow-empty -S -m 'Somebody is asked' && git -C repository verify-commit HEAD
}

items() { secret-tool search --all service waxseal 2>/dev/null | grep -c '^secret = ' || true; }

# usage: holds COUNT: as many items, once the key ring and the agent have written what they were asked to
holds() { await has "$1"; }

has() { [ "$(items)" -eq "$1" ]; }

# The search says nothing of an item that is being written.
secret() {
    local found
    for _ in $(seq 50); do
        found=$(secret-tool search --all service waxseal 2>/dev/null | sed -n 's/^secret = //p')
        [ -z "$found" ] || break
        sleep 0.1
    done
    printf '%s' "$found"
}

# What the item is called is kept from before.
store() {
    local name
    name=$(secret-tool search --all service waxseal 2>&1 | sed -n 's/^attribute.username = //p' | head -n 1)
    [ -n "$name" ] && echo "$name" >name
    secret-tool clear service waxseal
    secret-tool store --label=waxseal service waxseal username "$(cat name)"
}

refresh_token() { python3 -c 'import json, sys; print(json.load(sys.stdin)["refresh_token"])'; }

# The ID token's end is in the past: whoever reads it has to renew it.
expired() {
    python3 -c 'import base64, json, sys
kept = json.load(sys.stdin)
header, claims, signature = kept["token"].split(".")
claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
claims["exp"] = claims["iat"] - 1
claims = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
kept["token"] = ".".join([header, claims, signature])
print(json.dumps(kept), end="")'
}

await() {
    for _ in $(seq 100); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    echo "in vain: $*"
    return 1
}
