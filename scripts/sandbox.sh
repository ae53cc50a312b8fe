# shellcheck shell=bash
# Sourced by the other scripts: a user of its own with an empty home, and an embedded Sigstore for it.
# Neither the caller's home nor its Git configuration is read or changed after enter_sandbox.

# Builds the binary in one profile and puts it on PATH.
build_waxseal() {
    build_program "$1" --bin waxseal
    WAXSEAL=$(readlink "$SANDBOX/bin/waxseal")
}

# The same for the load on a stack (examples/stack-load.rs).
build_stack_load() { build_program "$1" --example stack-load; }

# usage: build_program PROFILE --bin|--example NAME
build_program() {
    local program
    # Cargo says where it put the program; the target folder may be anywhere.
    program=$(cargo build --locked --profile "$1" "$2" "$3" --message-format json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\/'"$3"'\)".*/\1/p')
    [ -x "$program" ] || { echo 'cargo built no program' >&2; return 1; }
    ln -sf "$program" "$SANDBOX/bin/$3"
}

# A fresh home in SANDBOX, which goes when the script ends, however it ends.
enter_sandbox() {
    SANDBOX=$(mktemp -d "${TMPDIR:-/tmp}/waxseal.XXXXXX")
    trap leave_sandbox EXIT
    trap 'exit 130' INT
    trap 'exit 143' HUP TERM
    local name
    while IFS= read -r name; do
        unset "$name"
    done < <(compgen -e | grep -E '^(GIT_|WAXSEAL_|SIGSTORE_|BROWSER$|EMAIL$|GITHUB_ACTIONS$|ACTIONS_ID_TOKEN_|GITLAB_CI$|BUILDKITE|CIRCLECI$|GCE_|GOOGLE_SERVICE_)' || true)
    # A CI system that runs this has tokens that are not meant for it.
    export NO_GCE_CHECK=true
    mkdir -p "$SANDBOX"/{bin,home,run}
    chmod 700 "$SANDBOX/run"
    # Rust alone stays where it is.
    export CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}"
    export PATH="$SANDBOX/bin:$PATH" HOME="$SANDBOX/home" LC_ALL=C TZ=UTC
    export XDG_CONFIG_HOME="$HOME/.config" XDG_DATA_HOME="$HOME/.local/share" XDG_STATE_HOME="$HOME/.local/state"
    export XDG_CACHE_HOME="$HOME/.cache" XDG_RUNTIME_DIR="$SANDBOX/run"
    export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL="$HOME/.gitconfig" GIT_CEILING_DIRECTORIES="$SANDBOX"
    export GIT_PAGER=cat GIT_TERMINAL_PROMPT=0
    # A proxy that cargo needs has no business between us and our own Sigstore.
    export NO_PROXY="localhost,127.0.0.1${NO_PROXY:+,$NO_PROXY}"
    export no_proxy="$NO_PROXY"
    # The stand-in for a browser: it follows the login page's redirects and keeps its cookies.
    export BROWSER='waxseal follow-login'
}

leave_sandbox() {
    local code=$?
    trap - EXIT
    [ -z "${STACK_PID:-}" ] || stop_stack
    rm -rf "$SANDBOX"
    exit "$code"
}

# Starts `waxseal serve` with these addresses logged in without a question: sets STACK_PID, STACK_URL and STACK_DIGEST.
start_stack() {
    local address arguments=() line=
    for address; do arguments+=(--auto-login "$address"); done
    waxseal serve --data "$SANDBOX/sigstore" --listen 127.0.0.1:0 "${arguments[@]}" \
        >"$SANDBOX/stack.out" 2>"$SANDBOX/stack.err" &
    STACK_PID=$!
    for _ in $(seq 1000); do
        line=$(head -n 1 "$SANDBOX/stack.out")
        case $line in *'}') break ;; esac
        kill -0 "$STACK_PID" 2>/dev/null || break
        sleep 0.01
    done
    STACK_URL=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' <<<"$line")
    STACK_DIGEST=$(sed -n 's/.*"trust_sha256":"\([^"]*\)".*/\1/p' <<<"$line")
    if [ -z "$STACK_URL" ] || [ -z "$STACK_DIGEST" ]; then
        echo "the embedded Sigstore did not start:" >&2
        cat "$SANDBOX/stack.err" >&2
        return 1
    fi
}

# usage: stop_stack [SIGNAL]
stop_stack() {
    kill -"${1:-TERM}" "$STACK_PID" 2>/dev/null || true
    wait "$STACK_PID" 2>/dev/null || true
    STACK_PID=
}

stack_memory() { awk '/^VmRSS/ { print $2 " kB resident" }' "/proc/$STACK_PID/status"; }

# An identity token that lives for minutes, by the same login that waxseal goes through (RFC 7636, appendix B).
fetch_token() {
    local redirect=http://localhost:1/auth/callback code
    code=$(curl -sS -o /dev/null -D - -G "$STACK_URL/oidc/auth" -d response_type=code -d client_id=sigstore \
        --data-urlencode scope='openid email' -d state=s -d nonce=n -d code_challenge_method=S256 \
        -d code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM --data-urlencode "redirect_uri=$redirect" |
        sed -n 's/^[Ll]ocation:.*[?&]code=\([^&[:space:]]*\).*/\1/p')
    curl -sS "$STACK_URL/oidc/token" -d grant_type=authorization_code -d client_id=sigstore -d "code=$code" \
        -d code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk --data-urlencode "redirect_uri=$redirect" |
        sed -n 's/.*"id_token":"\([^"]*\)".*/\1/p'
}

# A repository that signs through the embedded Sigstore as the first of two people, who alone may sign.
make_repository() {
    git init --quiet --initial-branch=main "$1"
    git -C "$1" config user.name 'Alice'
    git -C "$1" config user.email alice@example.org
    git -C "$1" config gpg.format x509
    git -C "$1" config gpg.x509.program waxseal
    git -C "$1" config waxseal.instance home
    git -C "$1" config waxseal.loginHint alice@example.org
}
