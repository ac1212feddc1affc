/** What a user can do about a system call that the kernel refused: one table, from the man pages. */
import { callOf, type Instruction } from '../plan/instruction.ts'

interface FailureHint {
  /** The system call; each when absent. */
  readonly call?: string
  readonly code: string
  /** How the origin (a JSON pointer into config.json) begins. */
  readonly origin?: string
  /** How the note of the instruction begins. */
  readonly note?: string
  readonly hint: string
}

const HINTS: readonly FailureHint[] = [
  {
    call: 'clone3',
    code: 'EPERM',
    hint: 'creating namespaces needs root, or user namespaces that this host allows',
  },
  {
    call: 'capset',
    code: 'EPERM',
    hint: 'a process cannot get a capability that tsrun does not have here: see CapPrm in /proc/self/status',
  },
  {
    call: 'mknodat',
    code: 'EPERM',
    hint: 'the device filter of a cgroup above forbids it, or CAP_MKNOD is missing here',
  },
  {
    call: 'prlimit64',
    code: 'EPERM',
    hint: 'raising a hard limit needs CAP_SYS_RESOURCE, which tsrun does not have here',
  },
  {
    note: 'oom_score_adj',
    code: 'EACCES',
    hint: 'lowering oom_score_adj needs CAP_SYS_RESOURCE, which tsrun does not have here',
  },
  { note: 'bind source', code: 'ENOENT', hint: 'create the source path on the host first' },
  {
    call: 'openat2',
    code: 'ELOOP',
    hint: 'a symbolic link stands where a real file or directory must be',
  },
  { call: 'fsopen', code: 'ENODEV', hint: 'the kernel does not know this file system type' },
  { call: 'pivot_root', code: 'EINVAL', hint: 'on an initramfs root use --no-pivot' },
  {
    call: 'seccomp',
    code: 'EINVAL',
    hint: 'the kernel refuses the filter or one of its flags',
  },
  {
    call: 'chdir',
    code: 'ENOENT',
    hint: 'the working directory does not exist in the container',
  },
  {
    call: 'write',
    code: 'ENOENT',
    origin: '/process/apparmorProfile',
    hint: 'no such AppArmor profile is loaded: load it with apparmor_parser -r, or use unconfined',
  },
  {
    call: 'write',
    code: 'EACCES',
    origin: '/process/apparmorProfile',
    hint: 'the AppArmor profile that tsrun itself runs under does not allow the change',
  },
  {
    call: 'write',
    code: 'EINVAL',
    origin: '/process/selinuxLabel',
    hint: 'the loaded SELinux policy has no such context',
  },
  {
    call: 'write',
    code: 'EACCES',
    origin: '/process/selinuxLabel',
    hint: 'the SELinux policy does not let tsrun start processes with this label: see ausearch -m avc',
  },
  {
    code: 'EPERM',
    call: 'fsopen',
    origin: 'security labels',
    hint: 'security labels need a procfs of our own, which this host does not let tsrun mount',
  },
  {
    code: 'EPERM',
    call: 'fsconfig',
    origin: 'security labels',
    hint: 'security labels need a procfs of our own, which this host does not let tsrun mount',
  },
  {
    code: 'EINVAL',
    origin: '/linux/mountLabel',
    hint: 'the loaded SELinux policy has no such context, or the file system takes none',
  },
  {
    call: 'personality',
    code: 'EINVAL',
    hint: 'this machine cannot run 32-bit programs: leave linux.personality out',
  },
  {
    call: 'set_mempolicy',
    code: 'EINVAL',
    hint: 'a node is not online or not in the cgroup’s cpuset.mems, or the kernel does not know the mode or flag: see /sys/devices/system/node/online and set_mempolicy(2)',
  },
  {
    call: 'set_mempolicy',
    code: 'ENOSYS',
    hint: 'the kernel is built without CONFIG_NUMA: leave linux.memoryPolicy out',
  },
  {
    call: 'sched_setattr',
    code: 'EPERM',
    hint: 'it needs CAP_SYS_NICE; real-time policies also a share of cpu.rt_runtime_us where the kernel groups them, SCHED_DEADLINE the use of every CPU of the host',
  },
  {
    call: 'sched_setattr',
    code: 'EBUSY',
    hint: 'the deadlines of this and other processes add up to more than the CPUs can give',
  },
  {
    call: 'sched_setattr',
    code: 'EINVAL',
    hint: 'no kernel has SCHED_ISO; SCHED_DEADLINE wants 1024 <= runtime <= deadline <= period in nanoseconds',
  },
  {
    call: 'sched_setattr',
    code: 'EOPNOTSUPP',
    hint: 'utilisation clamps need a kernel with CONFIG_UCLAMP_TASK',
  },
  {
    call: 'ioprio_set',
    code: 'EPERM',
    hint: 'IOPRIO_CLASS_RT needs CAP_SYS_ADMIN or CAP_SYS_NICE, which tsrun does not have here',
  },
  {
    call: 'sched_setaffinity',
    code: 'EINVAL',
    hint: 'none of these CPUs is online and in the cgroup’s cpuset.cpus: see /sys/devices/system/cpu/online',
  },
  {
    call: 'setresuid',
    code: 'EINVAL',
    hint: 'the user namespace of the container does not map this uid: see linux.uidMappings',
  },
  {
    call: 'setresgid',
    code: 'EINVAL',
    hint: 'the user namespace of the container does not map this gid: see linux.gidMappings',
  },
  {
    call: 'setgroups',
    code: 'EINVAL',
    hint: 'the user namespace of the container does not map one of these gids: see linux.gidMappings',
  },
  {
    call: 'sendmsg',
    code: 'EPIPE',
    origin: '/process/terminal',
    hint: 'whoever listened at the console socket is gone, and the terminal with it',
  },
  {
    call: 'openat2',
    code: 'ENOENT',
    origin: '/process/terminal',
    hint: 'a terminal needs a devpts: mount one on /dev/pts, or set process.terminal to false',
  },
  {
    code: 'ENOSYS',
    hint: 'the kernel does not have this system call, or a seccomp profile around tsrun hides it',
  },
]

/** A clause without a final period, or undefined when there is nothing to advise. */
export function failureHint(
  instruction: Instruction | undefined,
  code: string,
): string | undefined {
  const call = instruction === undefined ? '' : callOf(instruction)
  const note = instruction?.note ?? ''
  const origin = instruction?.origin ?? ''
  return HINTS.find(
    (row) =>
      row.code === code &&
      (row.call === undefined || row.call === call) &&
      note.startsWith(row.note ?? '') &&
      origin.startsWith(row.origin ?? ''),
  )?.hint
}
