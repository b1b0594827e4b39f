# shellcheck shell=bash
# Keeps what takes minutes to build from foreign source, and depends on nothing of this tree but its recipe, for other
# clones on the same machine and user. A recipe is a text that names everything the result depends on.
#
#   KOMAINU_CACHE     the folder for it                    (~/.cache/komainu)
#   KOMAINU_REFRESH   not empty: nothing that was kept is taken
kept_folder=${KOMAINU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/komainu}

kept_place() { # NAME RECIPE
    echo "$kept_folder/$1-$(sha256sum <<<"$2" | head -c 16)"
}

# Copies what was kept under that name and recipe to FOLDER, which is not there yet. Fails if nothing was.
take_kept() { # NAME RECIPE FOLDER
    local place
    place=$(kept_place "$1" "$2")
    [ -z "${KOMAINU_REFRESH:-}" ] && [ -d "$place" ] || return 1
    mkdir -p "$(dirname "$3")"
    rm -rf "${3:?}.taken"
    cp -a "$place" "$3.taken"
    mv -T "$3.taken" "$3"
}

# Keeps FOLDER, whole or not at all. A full disk is no failure of the tests.
keep() { # NAME RECIPE FOLDER
    local place
    place=$(kept_place "$1" "$2")
    mkdir -p "$kept_folder" || return 0
    rm -rf "$place.$$"
    if cp -a "$3" "$place.$$"; then
        rm -rf "$place"
        mv -T "$place.$$" "$place" || rm -rf "$place.$$"
    else
        rm -rf "$place.$$"
    fi
}
