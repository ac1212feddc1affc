/** `update`: new limits for a running container. */
import { readFileSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import type { Resources } from '../../oci/runtime-config.ts'
import { parseResources } from '../../oci/validate-runtime-config.ts'
import { loadContainer } from '../../runtime/load-container.ts'
import { updateContainer } from '../../runtime/update.ts'
import { updateContainerRdt } from '../../runtime/update-rdt.ts'
import { parseSize } from '../../util/size.ts'
import { containerIdOf, type ParsedArguments } from './arguments.ts'
import { type OciCommand, ONE_ID } from './command.ts'
import { UPDATE_FLAGS } from './flag-tables.ts'

export const updateCommand: OciCommand = {
  usage: '[flags] <container-id>',
  description: 'change the limits of a container',
  table: UPDATE_FLAGS,
  positional: ONE_ID,
  async run(args, { root }) {
    const id = containerIdOf(args)
    const l3CacheSchema = args.given('l3-cache-schema')
    const memBwSchema = args.given('mem-bw-schema')
    await loadContainer(root, id)
    updateContainerRdt(root, id, {
      ...(l3CacheSchema === undefined ? {} : { l3CacheSchema }),
      ...(memBwSchema === undefined ? {} : { memBwSchema }),
    })
    const file = args.string('resources') ?? ''
    const resources = file === '' ? resourcesFromFlags(args) : resourcesFromFile(file)
    await updateContainer(root, id, resources)
    return 0
  },
}

function resourcesFromFile(path: string): Resources {
  try {
    return parseResources(readFileSync(path === '-' ? 0 : path, 'utf8'))
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === undefined) throw error
    throw new TsrunError('invalid-argument', `cannot read the resources file "${path}": ${code}`, {
      cause: error,
    })
  }
}

function resourcesFromFlags(args: ParsedArguments): Resources {
  // An empty value is the same as none, as with runc.
  const number = (key: string, flag: string): Record<string, number> => {
    const value = args.string(flag) === '' ? undefined : args.number(flag)
    return value === undefined ? {} : { [key]: value }
  }
  const size = (key: string, flag: string): Record<string, number> => {
    const given = args.string(flag) ?? ''
    if (given === '') return {}
    const value = given === '-1' ? -1 : parseSize(given)
    if (value !== undefined) return { [key]: value }
    throw new TsrunError(
      'invalid-argument',
      `invalid value ${JSON.stringify(given)} for flag -${flag}: not a size`,
      { hint: 'give bytes, a size such as 64m, or -1 for no limit' },
    )
  }
  const text = (key: string, flag: string): Record<string, string> => {
    const value = args.string(flag)
    return value === undefined ? {} : { [key]: value }
  }
  return {
    memory: {
      ...size('limit', 'memory'),
      ...size('reservation', 'memory-reservation'),
      ...size('swap', 'memory-swap'),
      ...size('kernel', 'kernel-memory'),
      ...size('kernelTCP', 'kernel-memory-tcp'),
    },
    cpu: {
      ...number('shares', 'cpu-share'),
      ...number('quota', 'cpu-quota'),
      ...number('period', 'cpu-period'),
      ...number('burst', 'cpu-burst'),
      ...number('idle', 'cpu-idle'),
      ...number('realtimePeriod', 'cpu-rt-period'),
      ...number('realtimeRuntime', 'cpu-rt-runtime'),
      ...text('cpus', 'cpuset-cpus'),
      ...text('mems', 'cpuset-mems'),
    },
    pids: number('limit', 'pids-limit'),
    blockIO: number('weight', 'blkio-weight'),
  }
}
