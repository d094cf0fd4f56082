/*
 * cli_cred: where the key comes from, in the order of the manual page:
 * --key-file, --password-file, --password-command, HOLDFAST_KEY_FILE,
 * HOLDFAST_PASSWORD, HOLDFAST_PASSWORD_FILE, HOLDFAST_PASSWORD_COMMAND, the
 * configuration, a prompt on the terminal.
 *
 * Secrets are read straight into locked memory; the environment's is wiped
 * once read.
 */
#include "cli/cli_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/world.h"
#include "crypto/crypto.h"
#include "crypto/secret.h"
#include "os/os.h"

enum { SECRET_MAX = 65536 };

void cred_fini(struct cred *c)
{
	secret_free(c->secret);
	*c = (struct cred){0};
}

/* Up to SECRET_MAX bytes; the descriptor stays open. */
static int read_secret(int fd, char *out, size_t *n, struct err *e)
{
	*n = 0;
	for (;;) {
		ssize_t got = os_read(fd, out + *n, SECRET_MAX - *n);

		if (got == -1)
			return err_sys(e, "read");
		if (got == 0)
			return 0;
		*n += (size_t)got;
		if (*n == SECRET_MAX)
			return err_set(e, ERR_USAGE, "longer than %d bytes", SECRET_MAX - 1);
	}
}

/* The first line, which must not be empty, becomes the credential. */
static int take_password(struct cred *c, char *secret, size_t n, struct err *e)
{
	char *end = memchr(secret, '\n', n);

	if (end)
		n = (size_t)(end - secret);
	if (end && n && secret[n - 1] == '\r')
		n--;
	if (n == 0) {
		secret_free(secret);
		return err_set(e, ERR_USAGE, "the password is empty");
	}
	c->secret = secret;
	c->cred = (struct repo_cred){.key_file = false, .secret = span_of(secret, n)};
	return 0;
}

int cred_take(struct cred *c, bool key_file, char *secret, size_t n, struct err *e)
{
	uint8_t *key;

	if (!key_file)
		return take_password(c, secret, n, e);
	key = secret_new(CRYPTO_KEY);
	if (repo_key_file_parse(span_of(secret, n), key, e) == -1) {
		secret_free(key);
		secret_free(secret);
		return -1;
	}
	secret_free(secret);
	c->secret = key;
	c->cred = (struct repo_cred){.key_file = true, .secret = span_of(key, CRYPTO_KEY)};
	return 0;
}

static int from_password_file(struct cred *c, const char *path, struct err *e)
{
	char *secret = NULL;
	size_t n;
	int fd, rc = -1;

	fd = os_open(path, O_RDONLY, 0);
	if (fd == -1) {
		err_sys(e, "password file %s", path);
		goto out;
	}
	secret = secret_new(SECRET_MAX);
	if (read_secret(fd, secret, &n, e) == -1) {
		err_wrap(e, "password file %s", path);
		goto out;
	}
	rc = take_password(c, secret, n, e);
	secret = NULL;
	if (rc == -1)
		err_wrap(e, "password file %s", path);
out:
	secret_free(secret);
	os_close(fd);
	return rc;
}

int cred_key_file(struct cred *c, const char *path, struct err *e)
{
	char *text = NULL;
	uint8_t *key = NULL;
	size_t n;
	int fd, rc = -1;

	fd = os_open(path, O_RDONLY, 0);
	if (fd == -1) {
		err_sys(e, "key file %s", path);
		goto out;
	}
	text = secret_new(SECRET_MAX);
	key = secret_new(CRYPTO_KEY);
	if (read_secret(fd, text, &n, e) == -1 ||
	    repo_key_file_parse(span_of(text, n), key, e) == -1) {
		err_wrap(e, "key file %s", path);
		goto out;
	}
	c->secret = key;
	c->cred = (struct repo_cred){.key_file = true, .secret = span_of(key, CRYPTO_KEY)};
	key = NULL;
	rc = 0;
out:
	secret_free(text);
	secret_free(key);
	os_close(fd);
	return rc;
}

static int from_command(struct cred *c, const char *command, struct err *e)
{
	char *secret = NULL, *line;
	size_t n;
	FILE *p;
	int rc = -1, status;

	/* It must not read what is backed up from standard input. */
	line = mem_printf("exec </dev/null\n%s", command);
	p = popen(line, "re");
	free(line);
	if (p == NULL)
		return err_sys(e, "password command");
	secret = secret_new(SECRET_MAX);
	rc = read_secret(fileno(p), secret, &n, e);
	status = pclose(p);
	if (rc == 0 && status != 0)
		rc = err_set(e, ERR_USAGE, "'%s' failed with status %d", command,
		    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	if (rc == 0) {
		rc = take_password(c, secret, n, e);
		secret = NULL;
	}
	secret_free(secret);
	return rc == 0 ? 0 : err_wrap(e, "password command");
}

/* Copy the variable's value, then leave nothing of it behind. */
static int from_variable(struct cred *c, char *value, struct err *e)
{
	size_t n = strlen(value);
	char *secret;

	if (n >= SECRET_MAX)
		return err_set(e, ERR_USAGE, "HOLDFAST_PASSWORD is too long");
	secret = secret_new(n + 1);
	memcpy(secret, value, n);
	c->secret = secret;
	c->cred = (struct repo_cred){.key_file = false, .secret = span_of(secret, n)};
	return 0;
}

static int prompt_once(const char *prompt, char *secret, size_t *n, struct ctx *ctx, struct err *e)
{
	struct termios old, quiet;
	int fd = os_open("/dev/tty", O_RDWR | O_NOCTTY, 0), rc = -1;
	ssize_t got;

	if (fd == -1 || tcgetattr(fd, &old) == -1) {
		err_sys(e, "terminal");
		goto out;
	}
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fd, TCSAFLUSH, &quiet);
	os_write_all(fd, prompt, strlen(prompt));
	/* read itself: a signal is to end the wait */
	got = read(fd, secret, SECRET_MAX - 1);
	tcsetattr(fd, TCSAFLUSH, &old);
	os_write_all(fd, "\n", 1);
	if (ctx->cancel || (got == -1 && errno == EINTR))
		err_set(e, ERR_CANCELLED, "interrupted");
	else if (got == -1)
		err_sys(e, "terminal");
	else {
		*n = (size_t)got;
		rc = 0;
	}
out:
	os_close(fd);
	return rc;
}

static int from_prompt(
    struct cli *c, const char *prompt, bool twice, struct cred *out, struct err *e)
{
	char *one = secret_new(SECRET_MAX), *two = secret_new(SECRET_MAX);
	size_t n, n2;
	int rc = -1;

	if (prompt_once(prompt, one, &n, c->ctx, e) == -1)
		goto out;
	if (twice) {
		if (prompt_once("new password again: ", two, &n2, c->ctx, e) == -1)
			goto out;
		if (n != n2 || !crypto_equal(one, two, n)) {
			err_set(e, ERR_USAGE, "the two passwords differ");
			goto out;
		}
	}
	rc = take_password(out, one, n, e);
	one = NULL;
	out->asked = rc == 0;
out:
	secret_free(one);
	secret_free(two);
	return rc;
}

static bool have_terminal(void)
{
	int fd = os_open("/dev/tty", O_RDWR | O_NOCTTY, 0);

	os_close(fd);
	return fd != -1;
}

/* Where one repository's credential may come from, in this order. */
struct places {
	const char *key_file, *password_file, *password_command; /* options */
	const char *env_key_file, *env_password, *env_password_file, *env_password_command;
	const char *prompt, *what, *hint;
	bool twice;
};

static int nowhere(const struct places *p, struct err *e)
{
	err_set(e, ERR_USAGE, "no password or key%s was given, and there is no terminal to ask on",
	    p->what);
	return err_hint(e, "%s", p->hint);
}

static int find_cred(
    struct cli *c, const struct places *p, char *password, struct cred *out, struct err *e)
{
	const char *v;

	if (p->key_file)
		return cred_key_file(out, p->key_file, e);
	if (p->password_file)
		return from_password_file(out, p->password_file, e);
	if (p->password_command)
		return from_command(out, p->password_command, e);
	if ((v = getenv(p->env_key_file)) && *v)
		return cred_key_file(out, v, e);
	if (password && *password)
		return from_variable(out, password, e);
	if ((v = getenv(p->env_password_file)) && *v)
		return from_password_file(out, v, e);
	if ((v = getenv(p->env_password_command)) && *v)
		return from_command(out, v, e);
	if (c->named && (c->named->key || c->named->password))
		return config_cred(c->named, out, e);
	if (have_terminal())
		return from_prompt(c, p->prompt, p->twice, out, e);
	return nowhere(p, e);
}

static int find_and_wipe(struct cli *c, const struct places *p, struct cred *out, struct err *e)
{
	char *password = getenv(p->env_password);
	int rc = find_cred(c, p, password, out, e);

	if (password) {
		crypto_wipe(password, strlen(password));
		unsetenv(p->env_password);
	}
	return rc;
}

int cred_get(struct cli *c, bool make, struct cred *out, struct err *e)
{
	const struct places p = {c->opt.key_file, c->opt.password_file, c->opt.password_command,
	    "HOLDFAST_KEY_FILE", "HOLDFAST_PASSWORD", "HOLDFAST_PASSWORD_FILE",
	    "HOLDFAST_PASSWORD_COMMAND", make ? "new password: " : "password: ", "",
	    "use --password-file, --key-file, or HOLDFAST_PASSWORD", make};

	return find_and_wipe(c, &p, out, e);
}

int cred_get_from(struct cli *c, struct cred *out, struct err *e)
{
	const struct places p = {c->opt.from_key_file, c->opt.from_password_file,
	    c->opt.from_password_command, "HOLDFAST_FROM_KEY_FILE", "HOLDFAST_FROM_PASSWORD",
	    "HOLDFAST_FROM_PASSWORD_FILE", "HOLDFAST_FROM_PASSWORD_COMMAND",
	    "password of the repository to copy from: ", " of the repository to copy from",
	    "use --from-password-file, --from-key-file, or HOLDFAST_FROM_PASSWORD", false};

	return find_and_wipe(c, &p, out, e);
}

/* A new key file: never over another one, readable by its owner only. */
static int make_key_file(const char *path, struct cred *out, struct err *e)
{
	uint8_t *key = secret_new(CRYPTO_KEY);
	char *text = secret_new(96);
	int fd, rc = -1;

	fd = os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1) {
		err_sys(e, "new key file %s", path);
		goto out;
	}
	repo_key_file_new(key, text);
	if (os_write_all(fd, text, strlen(text)) == -1 || os_fsync(fd) == -1) {
		err_sys(e, "new key file %s", path);
		os_unlinkat(AT_FDCWD, path, 0);
		goto out;
	}
	out->secret = key;
	out->cred = (struct repo_cred){.key_file = true, .secret = span_of(key, CRYPTO_KEY)};
	key = NULL;
	rc = 0;
out:
	os_close(fd);
	secret_free(text);
	secret_free(key);
	return rc;
}

int cred_new(struct cli *c, struct cred *out, struct err *e)
{
	if (c->opt.new_key_file)
		return make_key_file(c->opt.new_key_file, out, e);
	if (c->opt.new_password_file)
		return from_password_file(out, c->opt.new_password_file, e);
	if (c->args.cmd->id == CMD_INIT)
		return cred_get(c, true, out, e);
	if (have_terminal())
		return from_prompt(c, "new password: ", true, out, e);
	err_set(e, ERR_USAGE, "no new password was given, and there is no terminal to ask on");
	return err_hint(e, "use --new-password-file or --new-key-file");
}
