/** Checks the `process` object of config.json, which is also what `exec --process` reads. */
import { isRlimitName } from '../linux/rlimits.ts'
import type { JsonCursor } from './json-cursor.ts'

const CAPABILITY_SETS = ['bounding', 'effective', 'inheritable', 'permitted', 'ambient']
const SCHEDULER_POLICIES = [
  'SCHED_OTHER',
  'SCHED_FIFO',
  'SCHED_RR',
  'SCHED_BATCH',
  'SCHED_ISO',
  'SCHED_IDLE',
  'SCHED_DEADLINE',
]
const SCHEDULER_FLAGS = [
  'SCHED_FLAG_RESET_ON_FORK',
  'SCHED_FLAG_RECLAIM',
  'SCHED_FLAG_DL_OVERRUN',
  'SCHED_FLAG_KEEP_POLICY',
  'SCHED_FLAG_KEEP_PARAMS',
  'SCHED_FLAG_UTIL_CLAMP_MIN',
  'SCHED_FLAG_UTIL_CLAMP_MAX',
]
const IO_PRIORITY_CLASSES = ['IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE']

/** config.md "Process"; `process` is an object. */
export function checkProcess(process: JsonCursor): void {
  process.field('terminal').boolean()
  process.field('consoleSize').object(checkConsoleSize)
  process.field('user').object(checkUser)
  checkArgs(process.field('args'))
  // A string without `=` is passed on as it is: the kernel takes it and crun does too.
  process.field('env').strings()
  process.field('cwd').required().absolutePath()
  process.field('capabilities').object(checkCapabilities)
  checkRlimits(process.field('rlimits'))
  process.field('noNewPrivileges').boolean()
  process.field('apparmorProfile').string()
  process.field('selinuxLabel').string()
  process.field('oomScoreAdj').integer(-1000, 1000)
  process.field('scheduler').object(checkScheduler)
  process.field('ioPriority').object(checkIoPriority)
  process.field('execCPUAffinity').object(checkAffinity)
}

function checkConsoleSize(size: JsonCursor): void {
  // struct winsize (ioctl_tty(2)) has 16-bit fields.
  size.field('height').required().integer(0, 0xffff)
  size.field('width').required().integer(0, 0xffff)
}

function checkUser(user: JsonCursor): void {
  user.field('uid').id()
  user.field('gid').id()
  user.field('umask').integer(0, 0o777)
  user.field('username').string()
  for (const gid of user.field('additionalGids').items()) gid.id()
}

function checkArgs(args: JsonCursor): void {
  args.required().strings()
  if (Array.isArray(args.value) && args.value.length === 0) args.report('must hold a command')
}

function checkCapabilities(capabilities: JsonCursor): void {
  // Names are not checked: runc warns about one the kernel lacks and goes on (runtimeConfigWarnings()).
  for (const set of CAPABILITY_SETS) capabilities.field(set).strings()
}

function checkRlimits(rlimits: JsonCursor): void {
  const seen = new Set<string>()
  for (const rlimit of rlimits.items()) {
    if (!rlimit.object()) continue
    const type = rlimit.field('type').required().string()
    if (type !== undefined && !isRlimitName(type)) {
      rlimit.field('type').report(`must be a resource limit of Linux, not ${JSON.stringify(type)}`)
    }
    if (type !== undefined && seen.has(type)) rlimit.report(`sets ${type} a second time`)
    if (type !== undefined) seen.add(type)
    const hard = rlimit.field('hard').required().uint64()
    const soft = rlimit.field('soft').required().uint64()
    if (hard !== undefined && soft !== undefined && soft > hard) {
      rlimit.report(`has a soft limit ${soft} above its hard limit ${hard}`)
    }
  }
}

function checkScheduler(scheduler: JsonCursor): void {
  scheduler.field('policy').required().oneOf(SCHEDULER_POLICIES)
  scheduler.field('nice').integer(-20, 19)
  scheduler.field('priority').integer(0, 99)
  for (const flag of scheduler.field('flags').items()) flag.oneOf(SCHEDULER_FLAGS)
  for (const key of ['runtime', 'deadline', 'period']) scheduler.field(key).uint64()
}

function checkIoPriority(ioPriority: JsonCursor): void {
  ioPriority.field('class').required().oneOf(IO_PRIORITY_CLASSES)
  ioPriority.field('priority').integer(0, 7)
}

function checkAffinity(affinity: JsonCursor): void {
  affinity.field('initial').string()
  affinity.field('final').string()
}
