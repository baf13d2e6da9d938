#compdef plm plmctl plmdump plmweb
# zsh completion for plm, plmctl, plmdump and plmweb. The table below the functions is generated from --help.

_plm_functions() { compadd -- ${(f)"$(plmctl functions --quiet 2>/dev/null)"} }
_plm_workers() { compadd -- ${(fu)"$(plmctl workers --quiet 2>/dev/null)"} }
_plm_refs() {
	compadd -- ${(f)"$(plmctl tasks --quiet 2>/dev/null)"} \
	    ${(f)"$(plmctl objects --quiet 2>/dev/null)"}
}
_plm_runtimes() {
	local directory=/tmp/plm-$UID
	[[ -n $XDG_RUNTIME_DIR ]] && directory=$XDG_RUNTIME_DIR/plm
	compadd -- $directory/*.sock(N:t:r)
}

