/* Builds filters with libseccomp from a text protocol, for comparison with tsrun's own compiler.
 *
 * stdin, one profile:          begin <default action> <optimize level>
 *                              arch <SCMP_ARCH_* name in lower case, as libseccomp names it>
 *                              drop-native
 *                              rule <action> <call> <count> {<argument> <operator> <a> <b>}...
 *                              end
 * stdout:                      uint32 errno of the first refusal (0: none), uint32 bytes, program
 */
#define _GNU_SOURCE
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "libseccomp-oracle: %s: %s\n", what, strerror(errno));
	exit(1);
}

static enum scmp_compare operator_of(const char *word)
{
	static const char *const words[] = { "", "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ" };

	for (int i = 1; i < 8; i++)
		if (strcmp(word, words[i]) == 0)
			return (enum scmp_compare)i;
	errno = EINVAL;
	die(word);
	return SCMP_CMP_NE;
}

static int add_rule(scmp_filter_ctx filter)
{
	unsigned action, count;
	char name[128], operator[16];
	struct scmp_arg_cmp arguments[6];
	unsigned long long a, b;

	if (scanf("%u %127s %u", &action, name, &count) != 3 || count > 6)
		die("rule");
	for (unsigned i = 0; i < count; i++) {
		if (scanf("%u %15s %llu %llu", &arguments[i].arg, operator, &a, &b) != 4)
			die("argument");
		arguments[i].op = operator_of(operator);
		arguments[i].datum_a = a;
		arguments[i].datum_b = b;
	}
	int call = seccomp_syscall_resolve_name(name);
	if (call == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(filter, action, call, count, arguments);
}

static void export(scmp_filter_ctx filter, int error)
{
	static char buffer[1 << 20];
	uint32_t head[2] = { (uint32_t)-error, 0 };
	int fd = memfd_create("bpf", MFD_CLOEXEC);

	if (fd < 0)
		die("memfd_create");
	if (error == 0) {
		if (seccomp_export_bpf(filter, fd) != 0)
			die("seccomp_export_bpf");
		ssize_t size = pread(fd, buffer, sizeof(buffer), 0);
		if (size < 0)
			die("pread");
		head[1] = (uint32_t)size;
	}
	fwrite(head, sizeof(head), 1, stdout);
	fwrite(buffer, 1, head[1], stdout);
	close(fd);
}

int main(void)
{
	char word[128];
	unsigned action, optimize;
	scmp_filter_ctx filter = NULL;
	int error = 0, result;

	while (scanf("%127s", word) == 1) {
		result = 0;
		if (strcmp(word, "begin") == 0) {
			if (scanf("%u %u", &action, &optimize) != 2)
				die("begin");
			filter = seccomp_init(action);
			error = 0;
			if (filter == NULL)
				die("seccomp_init");
			result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, optimize);
		} else if (strcmp(word, "arch") == 0) {
			if (scanf("%127s", word) != 1)
				die("arch");
			result = seccomp_arch_add(filter, seccomp_arch_resolve_name(word));
			if (result == -EEXIST)
				result = 0;
		} else if (strcmp(word, "drop-native") == 0) {
			result = seccomp_arch_remove(filter, SCMP_ARCH_NATIVE);
		} else if (strcmp(word, "rule") == 0) {
			result = add_rule(filter);
		} else if (strcmp(word, "end") == 0) {
			export(filter, error);
			seccomp_release(filter);
		}
		if (error == 0)
			error = result;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
