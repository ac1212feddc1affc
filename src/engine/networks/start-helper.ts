/** Small C processes beside a container, which outlive the command that starts them (native-bindings/helper.h). */
import { TsrunError } from '../../errors.ts'
import { errnoName } from '../../linux/errno.ts'
import { sealedExecutable, startExecutable } from '../../native/executor.ts'
import { pipePair } from '../../native/pass-descriptors.ts'
import { newBatch, runBatch } from '../../native/run-batch.ts'
import { pidfdOpen, pidfdSendSignal, reap, waitReadable } from '../../native/syscalls.ts'
import { isAlive, type ProcessIdentity, readProcStat } from '../../runtime/process-liveness.ts'

/** struct helper_report: the step that failed or 0, its errno or the pid. */
const REPORT_SIZE = 8
const SIGKILL = 9
const PATIENCE_MS = 5000

export interface HelperStart {
  readonly name: 'tsrun-resolver' | 'tsrun-proxy'
  readonly args: readonly string[]
  /** Become 0, 1, 2 and 4: the report goes over 3. */
  readonly descriptors: readonly [number, number, number, number?]
  /** What the numbers of steps stand for, from 1 on. */
  readonly steps: readonly string[]
}

/** Starts it and waits until it works. Throws `unavailable` with what failed. */
export function startHelper({ name, args, descriptors, steps }: HelperStart): ProcessIdentity {
  const [reader, writer] = pipePair()
  using ours = reader
  using theirs = writer
  const [first, second, third, ...rest] = descriptors
  const all = [first, second, third, theirs.fd, ...rest.map((fd) => fd ?? -1)]
  const child = startExecutable(sealedExecutable(name).fd, [name, ...args], all)
  using _pidfd = child.pidfd
  theirs.close()
  const { step, value } = readReport(ours.fd)
  // The first process only makes the second.
  reap(child.pidfd.fd, true)
  const startTime = step === 0 ? readProcStat(value)?.startTime : undefined
  if (startTime !== undefined) return { pid: value, startTime }
  const what = step > 0 ? `${steps[step - 1]}: ${errnoName(value)}` : 'it was killed'
  throw new TsrunError('unavailable', `cannot start ${name}: ${what}`)
}

/** Ends it, if it is still there, and waits for that. */
export function stopHelper({ pid, startTime }: ProcessIdentity): void {
  using pidfd = pidfdOpen(pid)
  if (pidfd === undefined || !isAlive(pid, startTime)) return
  pidfdSendSignal(pidfd.fd, SIGKILL)
  waitReadable(pidfd.fd, PATIENCE_MS)
}

function readReport(fd: number): { readonly step: number; readonly value: number } {
  const batch = newBatch()
  const buffer = batch.zeros(REPORT_SIZE)
  const length = batch.sys('read', [fd, buffer, REPORT_SIZE])
  const result = runBatch(batch)
  const report = result.bytes(buffer)
  if (result.value(length) !== REPORT_SIZE) return { step: -1, value: 0 }
  return { step: report.readInt32LE(0), value: report.readInt32LE(4) }
}
