/** `update`: new limits for a running container. */
import { readFileSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { normalizeResources } from '../../oci/normalize-runtime-config.ts'
import type { Resources } from '../../oci/runtime-config.ts'
import { parseResources } from '../../oci/validate-runtime-config.ts'
import { cgroupOf } from '../../runtime/kill.ts'
import { loadContainer } from '../../runtime/load-container.ts'
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
    const record = await loadContainer(root, containerIdOf(args))
    const resources = args.has('resources')
      ? normalizeResources(resourcesFromFile(args.string('resources') ?? ''), record.ociVersion)
      : resourcesFromFlags(args)
    const cgroup = cgroupOf(record)
    if (cgroup === undefined)
      throw new TsrunError(
        'failed-precondition',
        `cannot update container "${record.id}": it has no cgroup of its own`,
      )
    if ((resources.devices ?? []).length > 0) {
      throw new TsrunError('not-implemented', 'unsupported: update of linux.resources.devices')
    }
    cgroup.refuseBelowUsage(resources)
    cgroup.apply(resources)
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
  const number = (key: string, flag: string): Record<string, number> => {
    const value = args.number(flag)
    return value === undefined ? {} : { [key]: value }
  }
  const size = (key: string, flag: string): Record<string, number> => {
    const given = args.string(flag)
    if (given === undefined) return {}
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
    },
    cpu: {
      ...number('shares', 'cpu-share'),
      ...number('quota', 'cpu-quota'),
      ...number('period', 'cpu-period'),
      ...number('burst', 'cpu-burst'),
      ...number('idle', 'cpu-idle'),
      ...text('cpus', 'cpuset-cpus'),
      ...text('mems', 'cpuset-mems'),
    },
    pids: number('limit', 'pids-limit'),
    blockIO: number('weight', 'blkio-weight'),
  }
}
