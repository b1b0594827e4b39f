# shellcheck shell=bash
# For the scripts that build a boot loader or a kernel for the machines: packages of this machine's, Debian's source,
# and a look at the configuration. They set `folder`.

stop() {
    # shellcheck disable=SC2059 # the program's name stands before each line
    printf "$0: %s\\n" "$@" >&2
    exit 1
}

# Installs packages that are not there.
install_packages() {
    local package missing=()
    for package; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || stop 'packages are missing; as root:' \
        "  apt-get install --no-install-recommends ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The mirror from which this machine has its own packages.
mirror_of_debian() {
    # shellcheck disable=SC2016 # apt fills this in
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Codename: bookworm' \
        'Component: main' | head -n 1
}

# Fetches a source package into FOLDER, with Debian's patches, as FOLDER/source; FOLDER/version says which. apt checks
# the files by length and hash, and these by Debian's signature.
fetch_source() { # PACKAGE FOLDER
    local package=$1 own mirror apt
    own=$(cd "$2" && pwd)
    mirror=$(mirror_of_debian)
    if [ -z "$mirror" ] && [ "$(id -u)" -eq 0 ]; then
        apt-get update -qq
        mirror=$(mirror_of_debian)
    fi
    [ -n "$mirror" ] || stop 'apt knows no mirror of Debian 12 (bookworm) here: is it among the sources, and did' \
        '  apt-get update  succeed?'
    mkdir -p "$own/apt/lists/partial" "$own/apt/cache/archives/partial" "$own/files"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" >"$own/apt/sources"
    apt=(-o "Dir::Etc::sourcelist=$own/apt/sources" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$own/apt/lists"
        -o "Dir::Cache=$own/apt/cache" -o "APT::Sandbox::User=$(id -un)")
    apt-get "${apt[@]}" update -qq
    (cd "$own/files" && apt-get "${apt[@]}" source -qq --download-only "$package" >/dev/null)
    # apt has verified the description by the signature of the archive; the developer's own is not needed.
    dpkg-source --no-check --no-copy --extract "$own"/files/*.dsc "$own/source" >/dev/null
    (cd "$own/files" && echo *.dsc) >"$own/version"
    rm -rf "$own/apt" "$own/files"
}

# Every line of the fragments is in the configuration that was made: a line with a fault, or with a need that is not
# met, is dropped without a word.
settings_hold() { # CONFIG FRAGMENTS...
    local config=$1 line name lost=()
    shift
    while IFS= read -r line; do
        case $line in
        CONFIG_*) grep -Fqx -- "$line" "$config" || lost+=("$line") ;;
        '# CONFIG_'*' is not set')
            name=${line#\# } name=${name%% *}
            ! grep -q "^$name=" "$config" || lost+=("$line")
            ;;
        esac
    done < <(cat "$@")
    [ "${#lost[@]}" -eq 0 ] || stop "the configuration does not take these lines of $*:" "${lost[@]}"
}
