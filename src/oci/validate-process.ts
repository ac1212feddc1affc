/** Checks the `process` object of config.json, which is also what `exec --process` reads. */
import { parseBitList } from '../linux/bit-list.ts'
import { isRlimitName } from '../linux/rlimits.ts'
import { IO_PRIORITY_CLASSES, SCHEDULER_FLAGS, SCHEDULER_POLICIES } from '../linux/scheduling.ts'
import type { JsonCursor } from './json-cursor.ts'

const CAPABILITY_SETS = ['bounding', 'effective', 'inheritable', 'permitted', 'ambient']
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

/** Which policies each number belongs to: the kernel refuses or ignores it with the others (sched_setattr(2)). */
function checkScheduler(scheduler: JsonCursor): void {
  const policy = scheduler.field('policy').required().oneOf(Object.keys(SCHEDULER_POLICIES))
  const isRealTime = policy === 'SCHED_FIFO' || policy === 'SCHED_RR'
  scheduler.field('nice').integer(-20, 19)
  const priority = scheduler.field('priority').integer(0, 99)
  if (policy !== undefined && isRealTime && (priority ?? 0) === 0)
    scheduler.field('priority').report(`must be from 1 to 99 with ${policy}`)
  if (policy !== undefined && !isRealTime && (priority ?? 0) !== 0)
    scheduler
      .field('priority')
      .report(`must not be set with ${policy}, but for SCHED_FIFO and SCHED_RR`)
  for (const flag of scheduler.field('flags').items()) flag.oneOf(Object.keys(SCHEDULER_FLAGS))
  for (const key of ['runtime', 'deadline', 'period']) {
    const nanoseconds = scheduler.field(key).uint64()
    if (policy !== undefined && policy !== 'SCHED_DEADLINE' && (nanoseconds ?? 0) !== 0)
      scheduler.field(key).report(`must not be set with ${policy}, but for SCHED_DEADLINE`)
  }
}

function checkIoPriority(ioPriority: JsonCursor): void {
  const priority = ioPriority.field('priority')
  const name = ioPriority.field('class').required().oneOf(Object.keys(IO_PRIORITY_CLASSES))
  // The idle class has no levels (ioprio_set(2)): callers leave it out, and runc takes that.
  if (name !== 'IOPRIO_CLASS_IDLE') priority.required()
  priority.integer(0, 7)
}

function checkAffinity(affinity: JsonCursor): void {
  for (const key of ['initial', 'final']) {
    const list = affinity.field(key)
    const text = list.string()
    if (text === undefined || text === '' || parseBitList(text) !== undefined) continue
    list.report(`must be a list of CPUs such as "0-3,7", not ${JSON.stringify(text)}`)
  }
}
