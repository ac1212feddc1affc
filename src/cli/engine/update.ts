/** `tsrun update`: new limits for containers, also while they run. */
import { openEngine } from '../../engine/engine.ts'
import { parseRestartPolicy } from '../../engine/restart-policy.ts'
import { type UpdateRequest, updateContainer } from '../../engine/update-container.ts'
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

const LIMITS = Object.fromEntries(
  Object.entries(LIMIT_OPTIONS).filter(([name]) => NAMES.includes(name)),
)

const OPTIONS: EngineCommand['options'] = {
  ...LIMITS,
  restart: {
    type: 'string',
    describe: 'when it is started again after its end, from its next end on',
    value: 'no|on-failure[:n]|always|unless-stopped',
  },
}

export const command: EngineCommand = {
  usage: 'update [options] CONTAINER [CONTAINER...]',
  describe: 'Change the limits and the restart policy of containers, also while they run.',
  options: OPTIONS,
  examples: [
    { does: 'Half a processor and 300 MB', line: 'update --cpus 0.5 -m 300m web' },
    { does: 'Let it start again whenever it ends', line: 'update --restart always web' },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  if (!Object.keys(OPTIONS).some((name) => options.has(name)))
    throw new TsrunError(
      'invalid-argument',
      'cannot update without a change: no option was given',
      {
        hint: 'name what is to change, such as -m 300m or --restart always; tsrun update --help lists all',
      },
    )
  const changes = changesOf(options)
  const engine = openEngine(roots)
  await engine.sweep()
  return await forEachContainer(positionals, async (name) => {
    await updateContainer(engine, engine.containers.find(name), changes)
    return name
  })
}

function changesOf(options: CommandInput['options']): UpdateRequest {
  const all = limitRequest(options.among(LIMIT_OPTIONS))
  const restart = options.string('restart')
  return {
    restart: restart === undefined ? undefined : parseRestartPolicy(restart),
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
