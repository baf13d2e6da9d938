# fish completion for plm, plmctl, plmdump and plmweb. The table below the functions is generated from --help.

function __plm_runtimes
	set -l directory /tmp/plm-(id -u)
	test -n "$XDG_RUNTIME_DIR"; and set directory $XDG_RUNTIME_DIR/plm
	for socket in $directory/*.sock
		string replace -r '.*/(.*)\.sock$' '$1' $socket
	end
end
function __plm_refs
	plmctl tasks --quiet 2>/dev/null
	plmctl objects --quiet 2>/dev/null
end
function __plm_functions
	plmctl functions --quiet 2>/dev/null
end
function __plm_workers
	plmctl workers --quiet 2>/dev/null | sort -u
end

