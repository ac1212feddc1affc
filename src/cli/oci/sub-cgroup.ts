/** `exec --cgroup`: a cgroup below the container's own, in runc's two forms. */
import { TsrunError } from '../../errors.ts'

interface SubCgroup {
  readonly value: string
  readonly controllers: readonly string[]
  readonly path: string
}

/**
 * The path of `--cgroup path`, or of `--cgroup controller[,controller…]:path`, given any number of
 * times; undefined without one. cgroup v2 has one hierarchy, so the paths must be the same. Throws
 * `invalid-argument`.
 */
export function subCgroupPath(values: readonly string[]): string | undefined {
  const given = values.map(parseValue)
  const seen = new Set<string>()
  for (const { value, controllers } of given) {
    if (controllers.length === 0 && given.length > 1)
      throw refusal(value, 'missing <controller>: prefix')
    for (const controller of controllers) {
      if (controller === '') throw refusal(value, 'empty <controller> prefix')
      if (seen.has(controller)) throw refusal(value, `controller ${controller} specified twice`)
      seen.add(controller)
    }
  }
  const other = given.find(({ path }) => path !== given[0]?.path)
  if (other !== undefined)
    throw refusal(other.value, 'cgroup v2 has one path for all controllers, not several')
  return given[0]?.path
}

function parseValue(value: string): SubCgroup {
  const colon = value.indexOf(':')
  return {
    value,
    controllers: colon < 0 ? [] : value.slice(0, colon).split(','),
    path: value.slice(colon + 1),
  }
}

function refusal(value: string, reason: string): TsrunError {
  return new TsrunError('invalid-argument', `invalid --cgroup argument: ${value} (${reason})`)
}
