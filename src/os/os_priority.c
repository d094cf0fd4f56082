/* os_priority: how much this thread, and those it starts, may take from others. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "os/os.h"

/* linux/ioprio.h, which glibc has no call for: class above 13 bits, level in them. */
enum { CLASS_SHIFT = 13, CLASS_BEST = 2, CLASS_IDLE = 3, WHO_PROCESS = 1 };

int os_ioprio_idle(void)
{
	return CLASS_IDLE << CLASS_SHIFT;
}

int os_ioprio_best(int level)
{
	return CLASS_BEST << CLASS_SHIFT | level;
}

int os_set_nice(int nice, struct err *e)
{
	if (setpriority(PRIO_PROCESS, 0, nice) == -1) {
		int no = errno;

		err_sys(e, "set priority %d", nice);
		return no == EACCES || no == EPERM
			   ? err_hint(e, "only root may ask for more than it was started with")
			   : -1;
	}
	return 0;
}

int os_set_ionice(int ioprio, struct err *e)
{
	if (syscall(SYS_ioprio_set, WHO_PROCESS, 0, ioprio) == -1)
		return err_sys(e, "set priority of disk access");
	return 0;
}
