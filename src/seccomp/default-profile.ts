/** The seccomp profile that containers get by default; equal in effect to docker's. */
import type { Seccomp, SeccompArgument, SeccompRule } from '../oci/runtime-config.ts'

export interface DefaultProfileFacts {
  /** The container's bounding set, `CAP_*`: a capability opens the calls that need it anyway. */
  readonly capabilities: readonly string[]
  /** The host's. */
  readonly architecture: 'x86_64' | 'aarch64'
}

/** Calls every container may make, by purpose; on a machine without one, its name means nothing. */
const ALLOWED = `
  read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek
  open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 ioctl flock
  fsync fdatasync sync syncfs sync_file_range fallocate readahead fadvise64 fadvise64_64
  sendfile sendfile64 splice tee vmsplice copy_file_range cachestat
  truncate truncate64 ftruncate ftruncate64 umask getdents getdents64

  stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx
  statfs statfs64 fstatfs fstatfs64 statmount listmount access faccessat faccessat2
  chdir fchdir getcwd mkdir mkdirat rmdir mknod mknodat
  link linkat symlink symlinkat readlink readlinkat unlink unlinkat rename renameat renameat2
  chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 fchownat
  utime utimes utimensat utimensat_time64 futimesat name_to_handle_at
  getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat
  listxattr llistxattr flistxattr listxattrat
  removexattr lremovexattr fremovexattr removexattrat
  inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark

  mmap mmap2 munmap mremap mprotect msync madvise mincore brk remap_file_pages
  mlock mlock2 mlockall munlock munlockall mseal map_shadow_stack
  memfd_create memfd_secret pkey_alloc pkey_free pkey_mprotect membarrier

  fork vfork execve execveat exit exit_group wait4 waitid waitpid
  kill tkill tgkill pidfd_open pidfd_send_signal process_mrelease
  getpid getppid gettid getpgid getpgrp setpgid getsid setsid set_tid_address
  prctl rseq restart_syscall get_thread_area set_thread_area
  get_robust_list set_robust_list uretprobe
  process_vm_readv process_vm_writev ptrace

  sigaltstack sigprocmask sigreturn signalfd signalfd4 pause
  rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo

  getuid getuid32 geteuid geteuid32 getresuid getresuid32 getgid getgid32 getegid getegid32
  getresgid getresgid32 getgroups getgroups32 setgroups setgroups32
  setuid setuid32 setreuid setreuid32 setresuid setresuid32 setfsuid setfsuid32
  setgid setgid32 setregid setregid32 setresgid setresgid32 setfsgid setfsgid32
  capget capset seccomp
  landlock_create_ruleset landlock_add_rule landlock_restrict_self

  getrlimit setrlimit ugetrlimit prlimit64 getrusage getpriority setpriority
  ioprio_get ioprio_set getcpu sysinfo uname getrandom
  sched_yield sched_getparam sched_setparam sched_getscheduler sched_setscheduler
  sched_getattr sched_setattr sched_getaffinity sched_setaffinity
  sched_get_priority_max sched_get_priority_min
  sched_rr_get_interval sched_rr_get_interval_time64

  time times gettimeofday adjtimex alarm nanosleep getitimer setitimer
  clock_gettime clock_gettime64 clock_getres clock_getres_time64
  clock_nanosleep clock_nanosleep_time64 clock_adjtime clock_adjtime64
  timer_create timer_delete timer_getoverrun
  timer_gettime timer_gettime64 timer_settime timer_settime64
  timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64

  futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue
  pipe pipe2 eventfd eventfd2 select _newselect pselect6 pselect6_time64
  poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
  epoll_wait epoll_wait_old epoll_pwait epoll_pwait2
  io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64
  ipc semget semop semctl semtimedop semtimedop_time64 shmget shmat shmdt shmctl
  msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_notify mq_getsetattr
  mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64

  socketcall socketpair bind connect listen accept accept4 shutdown
  getsockname getpeername getsockopt setsockopt send sendto sendmsg sendmmsg
  recv recvfrom recvmsg recvmmsg recvmmsg_time64`

/** Calls that only one family of processors has and that only it needs. */
const ALLOWED_ON = {
  x86_64: 'arch_prctl modify_ldt',
  aarch64: 'arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls',
} as const

/** Calls that come with a capability, which the kernel asks for as well. */
const ALLOWED_WITH: Readonly<Record<string, string>> = {
  CAP_SYS_ADMIN: `
    bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie
    lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount
    open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog
    umount umount2 unshare`,
  CAP_BPF: 'bpf',
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_PERFMON: 'perf_event_open',
  CAP_SYSLOG: 'syslog',
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module init_module finit_module',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise',
  CAP_SYS_RAWIO: 'iopl ioperm',
  CAP_SYS_TIME: 'settimeofday stime clock_settime clock_settime64',
  CAP_SYS_TTY_CONFIG: 'vhangup',
}

const ABIS = {
  x86_64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  aarch64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
} as const

const EPERM = 1
const ENOSYS = 38

/** The profile for a container with these capabilities; what it does not allow gives EPERM. */
export function defaultSeccompProfile(facts: DefaultProfileFacts): Seccomp {
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: ABIS[facts.architecture],
    syscalls: [
      allow(words(ALLOWED)),
      allow(words(ALLOWED_ON[facts.architecture])),
      ...facts.capabilities.flatMap((capability) =>
        Object.hasOwn(ALLOWED_WITH, capability) ? [allow(words(ALLOWED_WITH[capability]))] : [],
      ),
      ...personalityRules(),
      ...socketRules(),
      ...(facts.capabilities.includes('CAP_SYS_ADMIN') ? [] : namespaceRules()),
    ],
  }
}

/** PER_LINUX and PER_LINUX32, each with and without UNAME26; 0xffffffff asks which is set. */
function personalityRules(): readonly SeccompRule[] {
  return [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff].map((value) =>
    allow(['personality'], { index: 0, op: 'SCMP_CMP_EQ', value }),
  )
}

const AF_ALG = 38
const AF_VSOCK = 40

/**
 * Every address family but two: AF_VSOCK reaches the host of a virtual machine past every network
 * namespace, and AF_ALG has let containers into the kernel. i386's socketcall(2) is beyond a filter.
 */
function socketRules(): readonly SeccompRule[] {
  return [
    allow(['socket'], { index: 0, op: 'SCMP_CMP_LT', value: AF_ALG }),
    allow(['socket'], { index: 0, op: 'SCMP_CMP_EQ', value: AF_ALG + 1 }),
    allow(['socket'], { index: 0, op: 'SCMP_CMP_GT', value: AF_VSOCK }),
  ]
}

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h. */
const NAMESPACE_FLAGS = 0x7e02_0000

/** Threads and processes, but no namespaces. clone3's flags lie in memory: glibc falls back on ENOSYS. */
function namespaceRules(): readonly SeccompRule[] {
  return [
    allow(['clone'], { index: 0, op: 'SCMP_CMP_MASKED_EQ', value: NAMESPACE_FLAGS, valueTwo: 0 }),
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
  ]
}

function allow(names: readonly string[], ...args: readonly SeccompArgument[]): SeccompRule {
  return { names, action: 'SCMP_ACT_ALLOW', ...(args.length === 0 ? {} : { args }) }
}

function words(text = ''): readonly string[] {
  return text.trim().split(/\s+/)
}
