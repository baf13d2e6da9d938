#include "tests/support/fixture.h"

#include <check.h>

#include "tests/support/deaths.h"

struct runtime host;
plm *client;

void host_boot(const char *workers)
{
	runtime_boot(&host, "--workers", workers, "--tasks", "4096", "--store", "64M", );
}

void host_boot_one(void)
{
	host_boot("1");
}

void host_boot_two(void)
{
	host_boot("2");
}

void host_boot_small(void)
{
	runtime_boot(&host, "--workers", "2", "--tasks", "256", "--store", "4M", );
}

void host_stop(void)
{
	plm_disconnect(&client);
	runtime_stop(&host);
	runtime_end(&host);
}

plm *host_connect(void)
{
	plm *ret = NULL;
	int r = plm_connect(&ret, host.name);
	ck_assert_msg(r == 0, "connect: %d, %s", r, plm_why());
	return ret;
}

void host_join(void)
{
	client = host_connect();
	plm_patience(client, DEADLINE_MS);
}

void host_expect_work(void)
{
	plm *handle = host_connect();
	expect_alive(handle, 0);
	plm_disconnect(&handle);
}
