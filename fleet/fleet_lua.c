/* fleet_lua.c - the text of fleet.lua within the program, so that no file has to be found. */
#include "fleet/engine_redis.h"

__asm__(".section .rodata\n"
	".balign 16\n"
	".globl fleet_lua_begin\n"
	".hidden fleet_lua_begin\n"
	"fleet_lua_begin:\n"
	".incbin \"fleet/fleet.lua\"\n"
	".globl fleet_lua_end\n"
	".hidden fleet_lua_end\n"
	"fleet_lua_end:\n"
	".byte 0\n"
	".previous\n");

extern const char fleet_lua_begin[], fleet_lua_end[];

const char *fleet_lua(size_t *ret_bytes)
{
	*ret_bytes = (size_t)(fleet_lua_end - fleet_lua_begin);
	return fleet_lua_begin;
}
