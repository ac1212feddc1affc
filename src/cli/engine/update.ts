/** `tsrun update`: new limits for containers, also while they run. */
import { openEngine } from '../../engine/engine.ts'
import { type LimitRequest, updateContainer } from '../../engine/update-container.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { forEachContainer } from './each-container.ts'
import { LIMIT_OPTIONS, limitRequest } from './run-options/limit-options.ts'

const NAMES = [
  'blkio-weight',
  'cpu-period',
  'cpu-quota',
  'cpu-shares',
  'cpus',
  'cpuset-cpus',
  'cpuset-mems',
  'memory',
  'memory-reservation',
  'memory-swap',
  'pids-limit',
]

const OPTIONS = Object.fromEntries(
  Object.entries(LIMIT_OPTIONS).filter(([name]) => NAMES.includes(name)),
)

export const command: EngineCommand = {
  usage: 'update [options] CONTAINER [CONTAINER...]',
  describe: 'Change the limits of containers, also while they run.',
  options: OPTIONS,
  examples: [{ does: 'Half a processor and 300 MB', line: 'update --cpus 0.5 -m 300m web' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  if (!NAMES.some((name) => options.has(name)))
    throw new TsrunError('invalid-argument', 'cannot update without a limit: one option is needed')
  const limits = limitsOf(options)
  const engine = openEngine(roots)
  await engine.sweep()
  return await forEachContainer(positionals, async (name) => {
    await updateContainer(engine, engine.containers.find(name), limits)
    return name
  })
}

function limitsOf(options: CommandInput['options']): LimitRequest {
  const all = limitRequest(options.among(LIMIT_OPTIONS))
  return {
    memory: all.memory,
    memoryReservation: all.memoryReservation,
    memorySwap: all.memorySwap,
    cpus: all.cpus,
    cpuShares: all.cpuShares,
    cpuPeriod: all.cpuPeriod,
    cpuQuota: all.cpuQuota,
    cpusetCpus: all.cpusetCpus,
    cpusetMems: all.cpusetMems,
    pidsLimit: all.pidsLimit,
    blkioWeight: all.blkioWeight,
  }
}
