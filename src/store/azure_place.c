/* azure_place: where a container is, and what opens it.  See azure.h. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "crypto/secret.h"
#include "store/azure.h"

static int usage(struct err *e, const char *what)
{
	err_set(e, ERR_USAGE, "%s", what);
	return err_hint(e, "an Azure repository is azure:ACCOUNT/CONTAINER/PREFIX");
}

static bool name_good(const char *s, size_t n, size_t least, size_t most)
{
	if (n < least || n > most || s[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '-' ||
			s[i] == '$'))
			return false;
	return true;
}

/* The value of NAME= in "A=1;B=2", as new secret text; NULL. */
static char *part_of(const char *connection, const char *name)
{
	size_t n = strlen(name);

	while (connection && *connection) {
		size_t k = strcspn(connection, ";");

		if (k > n && strncmp(connection, name, n) == 0 && connection[n] == '=') {
			char *v = secret_new(k - n);

			memcpy(v, connection + n + 1, k - n - 1);
			return v;
		}
		connection += k + (connection[k] == ';');
	}
	return NULL;
}

static const char *either(const char *a, const char *b)
{
	return web_env(a) ? web_env(a) : web_env(b);
}

static int take_key(struct azure_place *p, const char *text, struct err *e)
{
	size_t n;
	uint8_t *key = base64_decode(text, &n);

	if (key == NULL || n == 0) {
		free(key);
		return err_set(e, ERR_USAGE, "the storage account's key is no base64");
	}
	p->key = secret_new(n);
	memcpy(p->key, key, n);
	p->key_n = n;
	crypto_wipe(key, n);
	free(key);
	return 0;
}

static int find_credentials(struct azure_place *p, const char *connection, struct err *e)
{
	char *key = secret_copy(either("AZURE_STORAGE_KEY", "AZURE_ACCOUNT_KEY"));
	int rc = 0;

	p->sas = secret_copy(either("AZURE_STORAGE_SAS_TOKEN", "AZURE_ACCOUNT_SAS"));
	if (key == NULL && p->sas == NULL) {
		key = part_of(connection, "AccountKey");
		p->sas = part_of(connection, "SharedAccessSignature");
	}
	if (p->sas && p->sas[0] == '?')
		memmove(p->sas, p->sas + 1, strlen(p->sas));
	if (key) {
		rc = take_key(p, key, e);
	} else if (p->sas == NULL) {
		err_set(e, ERR_DENIED, "there are no credentials for the storage account");
		rc = err_hint(e, "set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or "
				 "AZURE_STORAGE_CONNECTION_STRING");
	}
	secret_free(key);
	return rc;
}

static int find_endpoint(
    struct azure_place *p, const char *given, const char *connection, struct err *e)
{
	char *named = given ? secret_copy(given) : part_of(connection, "BlobEndpoint");
	const char *host, *slash;
	int rc = 0;

	p->endpoint = named ? mem_strdup(named)
			    : mem_printf("https://%s.blob.core.windows.net", p->account);
	secret_free(named);
	for (size_t n = strlen(p->endpoint); n > 0 && p->endpoint[n - 1] == '/'; n--)
		p->endpoint[n - 1] = '\0';
	host = strncmp(p->endpoint, "http://", 7) == 0    ? p->endpoint + 7
	       : strncmp(p->endpoint, "https://", 8) == 0 ? p->endpoint + 8
							  : NULL;
	if (host == NULL || !web_host_good(host, strcspn(host, "/")))
		rc = err_set(
		    e, ERR_USAGE, "azure.endpoint must be https://HOST or http://HOST:PORT");
	slash = host ? strchr(host, '/') : NULL;
	p->path = mem_strdup(slash ? slash : "");
	return rc;
}

int azure_place_parse(struct azure_place *p, const char *rest, const char *endpoint, struct err *e)
{
	const char *connection = web_env("AZURE_STORAGE_CONNECTION_STRING");
	size_t account = strcspn(rest, "/"), container;

	memset(p, 0, sizeof *p);
	if (!name_good(rest, account, 3, 24))
		return usage(e, "that is not a storage account's name");
	if (rest[account] == '\0')
		return usage(e, "the container is missing");
	container = strcspn(rest + account + 1, "/");
	if (!name_good(rest + account + 1, container, 3, 63))
		return usage(e, "that is not a container's name");
	p->account = mem_strndup(rest, account);
	p->container = mem_strndup(rest + account + 1, container);
	if ((p->prefix = web_prefix(rest + account + 1 + container, e)) == NULL ||
	    find_endpoint(p, endpoint, connection, e) == -1 ||
	    find_credentials(p, connection, e) == -1) {
		azure_place_fini(p);
		return -1;
	}
	return 0;
}

void azure_place_fini(struct azure_place *p)
{
	free(p->endpoint);
	free(p->path);
	free(p->account);
	free(p->container);
	free(p->prefix);
	secret_free(p->key);
	secret_free(p->sas);
	memset(p, 0, sizeof *p);
}
