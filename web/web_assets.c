#include "web/web_assets.h"

#include <string.h>

#include "base/check.h"

/* The assembler puts the bytes of a file between two symbols. */
#define ASSET(symbol, file)                                                  \
	extern const unsigned char symbol##_begin[], symbol##_end[];         \
	__asm__(".pushsection .rodata\n"                                     \
		".global " #symbol "_begin, " #symbol "_end\n" #symbol       \
		"_begin:\n.incbin \"web/page/" file "\"\n" #symbol "_end:\n" \
		".popsection\n")

ASSET(asset_index, "index.html");
ASSET(asset_base, "base.js");
ASSET(asset_overview, "overview.js");
ASSET(asset_stream, "stream.js");
ASSET(asset_tasks, "tasks.js");
ASSET(asset_lists, "lists.js");
ASSET(asset_plm, "plm.js");
ASSET(asset_style, "plm.css");
ASSET(asset_plot, "uplot.js");
ASSET(asset_plot_style, "uplot.css");
ASSET(asset_fleet, "fleet.html");
ASSET(asset_fleet_script, "fleet.js");
ASSET(asset_icon, "favicon.svg");

#define JAVASCRIPT "text/javascript; charset=utf-8"
#define CSS "text/css; charset=utf-8"

static const struct asset assets[] = {
	{ "/", "text/html; charset=utf-8", asset_index_begin, asset_index_end },
	{ "/base.js", JAVASCRIPT, asset_base_begin, asset_base_end },
	{ "/overview.js", JAVASCRIPT, asset_overview_begin, asset_overview_end },
	{ "/stream.js", JAVASCRIPT, asset_stream_begin, asset_stream_end },
	{ "/tasks.js", JAVASCRIPT, asset_tasks_begin, asset_tasks_end },
	{ "/lists.js", JAVASCRIPT, asset_lists_begin, asset_lists_end },
	{ "/plm.js", JAVASCRIPT, asset_plm_begin, asset_plm_end },
	{ "/plm.css", CSS, asset_style_begin, asset_style_end },
	{ "/uplot.js", JAVASCRIPT, asset_plot_begin, asset_plot_end },
	{ "/uplot.css", CSS, asset_plot_style_begin, asset_plot_style_end },
	{ "/fleet", "text/html; charset=utf-8", asset_fleet_begin, asset_fleet_end },
	{ "/fleet.js", JAVASCRIPT, asset_fleet_script_begin, asset_fleet_script_end },
	{ "/favicon.svg", "image/svg+xml", asset_icon_begin, asset_icon_end },
};

const struct asset *asset_find(const char *path)
{
	for (size_t i = 0; i < COUNT_OF(assets); i++)
		if (strcmp(path, assets[i].path) == 0)
			return &assets[i];
	return NULL;
}
