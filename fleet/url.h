/* url.h - the address of a fleet, as a person writes it.
 *
 *	redis://[USER[:PASSWORD]@]HOST[:PORT][/DB][?OPTION&...]
 *	rediss://...                         the same under TLS
 *	unix://PATH[?OPTION&...]
 *
 * Options: queue=NAME, lease=TIME, keep=TIME, user=NAME, password-file=FILE, db=N (unix); of
 * rediss:// cacert=FILE, cert=FILE, key=FILE, verify=no.
 * A password on a command line stands in every process list, so a password within the text is
 * accepted from the environment alone (PLM_FLEET).
 * Who: any thread.  Blocks: reads the file of the password.  Allocates: never. */
#ifndef PLM_FLEET_URL_H
#define PLM_FLEET_URL_H

#include <stdbool.h>
#include <stdint.h>

enum { FLEET_QUEUE_BYTES = 40, FLEET_SHOWN_BYTES = 400, FLEET_PASSWORD_BYTES = 520 };

struct fleet_url {
	char host[256]; /* "": a unix socket */
	char path[108];
	int port, db;
	bool tls, tls_unchecked;  /* rediss://; any certificate will do */
	char cacert[256];         /* "": the certificates that the system trusts */
	char cert[256], key[256]; /* of the client; "": none; the key lies beside the certificate */
	char user[64];            /* "": the default user */
	char password[FLEET_PASSWORD_BYTES]; /* "": none */
	char queue[FLEET_QUEUE_BYTES];
	uint64_t lease_ms, keep_ms;    /* for a queue that is not there yet */
	char shown[FLEET_SHOWN_BYTES]; /* for messages: without a password */
};

/* what: "--fleet", or "PLM_FLEET". 0, or -EINVAL, -EACCES (the file of the password) with a why. */
int fleet_url_parse(const char *what, const char *text, bool environment, struct fleet_url *ret);

#endif
