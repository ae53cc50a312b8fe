# shellcheck shell=bash
# What Git and waxseal signed, in the form that other people's verifiers take: a bundle over the signed attributes of a
# commit or tag.

setup_waxseal() {
    have git git
    have python3 python3
    git --version
}

sign_waxseal() {
    local log
    make_repository repository
    git -C repository config waxseal.allow "$IDENTITY $ISSUER home"
    for log in v1 v2; do
        git -C repository -c "waxseal.log=$log" commit --quiet --allow-empty -S -m "In log $log"
        git -C repository verify-commit HEAD
        take_out commit "waxseal-commit-$log"
    done
    git -C repository -c waxseal.timestamp=always tag -s v1 -m 'A tag with a timestamp'
    git -C repository verify-tag v1
    take_out v1 waxseal-tag-v1
}

# usage: take_out REVISION BUNDLE
take_out() {
    local revision=$1
    [ "$revision" != commit ] || revision=HEAD
    git -C repository cat-file -p "$revision" |
        python3 "$PEERS/git_bundle.py" "$BUNDLES/$2.artifact" "$BUNDLES/$2.sigstore.json"
}
