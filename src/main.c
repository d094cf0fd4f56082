/* main: signals in, exit status out.  Everything else begins in cli/. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/log_quick.h"
#include "os/os.h"

static struct ctx ctx = {.progress.item_busy = ATOMIC_FLAG_INIT};
static atomic_bool asked;

/* The first one asks for a clean end, the second doesn't wait for it. */
static void on_stop(int sig)
{
	if (atomic_exchange(&ctx.cancel, true))
		_exit(130);
}

/* Whoever began us is gone (os_child.h). */
static void on_orphaned(int sig)
{
	atomic_store(&ctx.cancel, true);
}

static void on_usr1(int sig)
{
	atomic_store(&asked, true);
}

static void handle(int sig, void (*f)(int), int flags)
{
	struct sigaction sa = {.sa_handler = f, .sa_flags = flags};

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

int main(int argc, char **argv)
{
	if (log_quick(argc, argv))
		return 0;
	handle(SIGINT, on_stop, 0);
	handle(SIGTERM, on_stop, 0);
	handle(SIGUSR2, on_orphaned, 0);
	handle(SIGUSR1, on_usr1, SA_RESTART);
	handle(SIGPIPE, SIG_IGN, 0);
	tzset();
	os_raise_nofile();
	os_settle_heap();
	ctx.clock = os_clock();
	return cli_main(argc, argv, &ctx, &asked);
}
