/** Starts a program of the host that ends with a process, and waits until it says that it is ready. */
import { readSync } from 'node:fs'
import { SyscallError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import { compileTetheredProgram, type TetheredProgram } from '../plan/compile-tethered-program.ts'
import { startPlan } from './executor.ts'
import { receiveEvent } from './executor-protocol.ts'
import { hostArchitecture } from './library.ts'
import type { OwnedFd } from './owned-fd.ts'
import { pipePair } from './pass-descriptors.ts'
import { untilReadable } from './readiness.ts'
import { newBatch, runBatch } from './run-batch.ts'
import { reap } from './syscalls.ts'

const O_NONBLOCK = 0o4000
const F_SETFL = 4
const MAX_SAID = 16_384

export interface StartTethered extends Omit<TetheredProgram, 'preserved'> {
  readonly stdin: number
  /** Pidfd of the process that it ends with. */
  readonly tether: number
  /** Where it writes when it is ready: its standard output, or descriptor 3. */
  readonly readyOn: 1 | 3
}

/** Undefined once it is ready, else what it has written to standard error before it ended. */
export async function startTethered(options: StartTethered): Promise<string | undefined> {
  const [ready, theirReady] = pipePair()
  const [errors, theirErrors] = pipePair()
  using closing = ready
  using closingErrors = errors
  const preserved = options.readyOn === 3 ? [theirReady.fd] : []
  const stdout = options.readyOn === 1 ? theirReady.fd : theirErrors.fd
  try {
    // Nobody reads what it says later; a program that waits for that would be no network.
    setNonBlocking(theirErrors.fd)
    await execute(
      { ...options, preserved: preserved.length },
      {
        stdio: [options.stdin, stdout, theirErrors.fd],
        preserved,
        // The watcher keeps the ends open that it would be killed for writing to (pipe(7), SIGPIPE).
        descriptors: [options.tether, closing.fd, closingErrors.fd],
      },
    )
  } finally {
    theirReady.close()
    theirErrors.close()
  }
  if ((await readSome(closing)).length > 0) return undefined
  return await readToEnd(closingErrors)
}

async function execute(
  program: TetheredProgram,
  options: Parameters<typeof startPlan>[1],
): Promise<void> {
  const kept = options.descriptors.length - 1
  const plan = compileTetheredProgram(program, kept, hostArchitecture())
  using session = startPlan(plan, options)
  // It ends at once: what it has started is nobody's child.
  reap(session.launcher.pidfd.fd, true)
  const event = await receiveEvent(session.report.fd)
  if (event.type === 'failed')
    throw new SyscallError('execve', event.errno, errnoName(event.errno), program.path)
}

function setNonBlocking(fd: number): void {
  const batch = newBatch()
  batch.run('fcntl', [fd, F_SETFL, O_NONBLOCK])
  runBatch(batch)
}

async function readSome(pipe: OwnedFd): Promise<string> {
  await untilReadable(pipe.fd)
  const buffer = Buffer.alloc(MAX_SAID)
  return buffer.toString('utf8', 0, readSync(pipe.fd, buffer))
}

async function readToEnd(pipe: OwnedFd): Promise<string> {
  let text = ''
  for (;;) {
    const more = await readSome(pipe)
    if (more === '' || text.length > MAX_SAID) return text
    text += more
  }
}
