/** Reads a seccomp profile file, docker's format or the OCI one, for one container on one machine. */
import { TsrunError } from '../errors.ts'
import { JsonCursor, type Problem } from '../oci/json-cursor.ts'
import { removeNulls } from '../oci/normalize-runtime-config.ts'
import type { Seccomp, SeccompRule } from '../oci/runtime-config.ts'
import { checkSeccomp } from '../oci/validate-seccomp.ts'

export interface ProfileFacts {
  readonly architecture: 'x86_64' | 'aarch64'
  readonly capabilities: readonly string[]
  /** `uname -r`. */
  readonly kernelRelease: string
}

interface DockerRule extends SeccompRule {
  readonly name?: string
  readonly comment?: string
  readonly includes?: RuleFilter
  readonly excludes?: RuleFilter
}

interface RuleFilter {
  readonly caps?: readonly string[]
  readonly arches?: readonly string[]
  readonly minKernel?: string
}

interface DockerProfile extends Seccomp {
  readonly archMap?: readonly {
    readonly architecture: string
    readonly subArchitectures?: readonly string[]
  }[]
  readonly syscalls?: readonly DockerRule[]
}

/** The names docker's profiles use for the machine: Go's in includes, libseccomp's in archMap. */
const ARCHITECTURES = {
  x86_64: { go: 'amd64', scmp: 'SCMP_ARCH_X86_64' },
  aarch64: { go: 'arm64', scmp: 'SCMP_ARCH_AARCH64' },
} as const

/** The filter in `text`; rules for other machines or for capabilities the container lacks fall away. */
export function parseSeccompProfile(text: string, path: string, facts: ProfileFacts): Seccomp {
  const value = parseJson(text, path)
  const problems: Problem[] = []
  const root = JsonCursor.root(unifyNames(value), problems)
  if (!root.object(checkSeccomp)) refuse(path, 'it is not a JSON object')
  checkDockerParts(root)
  const [first] = problems
  if (first !== undefined) refuse(path, `${first.pointer} ${first.message}`)
  return resolveProfile(root.value as DockerProfile, facts)
}

/** An old profile names one call a rule by `name`. */
function unifyNames(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const rules: unknown = Reflect.get(value, 'syscalls')
  if (!Array.isArray(rules)) return value
  return {
    ...value,
    syscalls: rules.map((rule: unknown) =>
      typeof rule === 'object' && rule !== null && 'name' in rule && !('names' in rule)
        ? { ...rule, names: [rule.name] }
        : rule,
    ),
  }
}

function checkDockerParts(root: JsonCursor): void {
  for (const entry of root.field('archMap').items()) {
    if (!entry.object()) continue
    entry.field('architecture').required().string()
    entry.field('subArchitectures').strings()
  }
  for (const rule of root.field('syscalls').items()) {
    for (const key of ['includes', 'excludes']) {
      const filter = rule.field(key)
      if (!filter.object()) continue
      filter.field('caps').strings()
      filter.field('arches').strings()
      filter.field('minKernel').string()
    }
  }
}

function resolveProfile(profile: DockerProfile, facts: ProfileFacts): Seccomp {
  const { archMap, syscalls = [], architectures, ...rest } = profile
  const machine = ARCHITECTURES[facts.architecture].scmp
  const mapped = archMap?.find(({ architecture }) => architecture === machine)
  const known = mapped === undefined ? architectures : [machine, ...(mapped.subArchitectures ?? [])]
  return {
    ...rest,
    ...(known === undefined ? {} : { architectures: known }),
    syscalls: syscalls.filter((rule) => applies(rule, facts)).map(plainRule),
  }
}

function applies({ includes, excludes }: DockerRule, facts: ProfileFacts): boolean {
  const go = ARCHITECTURES[facts.architecture].go
  const has = (name: string): boolean => facts.capabilities.includes(name)
  if (includes?.arches !== undefined && includes.arches.length > 0 && !includes.arches.includes(go))
    return false
  if (includes?.caps?.every(has) === false) return false
  if (includes?.minKernel !== undefined && !kernelAtLeast(facts.kernelRelease, includes.minKernel))
    return false
  if (excludes?.arches?.includes(go) === true) return false
  if (excludes?.caps?.some(has) === true) return false
  return !(
    excludes?.minKernel !== undefined && kernelAtLeast(facts.kernelRelease, excludes.minKernel)
  )
}

function plainRule({ names, action, errnoRet, args }: DockerRule): SeccompRule {
  return {
    names,
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args === undefined || args.length === 0 ? {} : { args }),
  }
}

/** Compares `major.minor`, as docker's minKernel is written. */
function kernelAtLeast(release: string, wanted: string): boolean {
  const [major = 0, minor = 0] = versionOf(release)
  const [wantedMajor = 0, wantedMinor = 0] = versionOf(wanted)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}

function versionOf(text: string): readonly number[] {
  return (/^(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number)
}

function parseJson(text: string, path: string): unknown {
  try {
    return removeNulls(JSON.parse(text))
  } catch (cause) {
    return refuse(path, `it is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

function refuse(path: string, problem: string): never {
  throw new TsrunError(
    'invalid-argument',
    `cannot use seccomp profile ${JSON.stringify(path)}: ${problem}`,
  )
}
